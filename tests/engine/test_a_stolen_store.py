"""What somebody who takes the store away can read in it: no word that people wrote, and no secret."""

from __future__ import annotations

from tests.engine.rig import PICTURE, TEAM, Rig

WORDS = ["Quokka", "Wombat", "Numbat", "Potoroo", "Dunnart", "Bilby", "Bandicoot", "Kowari"]


def test_nothing_that_people_wrote_is_in_it(rig: Rig) -> None:
    title, description, note, answer, file, reason, contents, refused = WORDS
    number = rig.customer.create("UserRequest", title=title, description=f"<p>{description}</p>", private_log=f"<p>{note}</p>")
    rig.customer.attach("UserRequest", number, f"{file}.txt", "text/plain", contents.encode())
    rig.customer.note("UserRequest", number, rig.customer.paste_image("UserRequest", number, f"{file}.png", "image/png", PICTURE))
    rig.sync()
    copy = rig.copy_of(number)
    rig.operator.note("UserRequest", copy, f"<p>{answer}</p>")
    rig.operator.stimulus("UserRequest", copy, "ev_assign", **TEAM)
    rig.operator.stimulus("UserRequest", copy, "ev_pending", pending_reason=reason)
    rig.settle(2)
    rig.internal.accounts["sync"] = rig.internal.accounts["sync"].without("UserRequest", "write")
    rig.customer.update("UserRequest", number, title=refused)  # what is refused is remembered with its reason
    rig.settle(2)
    assert rig.link(number).internal is not None
    stored = b"".join(path.read_bytes() for path in rig.folder.iterdir() if path.name.startswith("store.sqlite"))
    assert b"UserRequest" in stored
    assert [word for word in [*WORDS, "sync-password", "Alice"] if word.encode() in stored] == []
