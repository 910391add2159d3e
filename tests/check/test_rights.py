"""What the account may do: each right that the rules need is asked for, and no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from itopsync.model import Side
from itopsync.reconcile.rules import Deletion, Direction
from itopsync.simulator.rights import AccessMode, Action
from tests.check.conftest import Checked

EXTERNAL, INTERNAL = Side


@pytest.mark.parametrize("right", ["write", "bulk write"])
def test_a_class_that_may_not_be_written(rig: Checked, right: Action) -> None:
    rig.without(INTERNAL, "Problem", right)
    assert rig.fault(INTERNAL) == (
        "the account may not create and change Problem. Give it a profile that may, such as Problem Manager."
    )


def test_a_class_that_may_not_be_read(rig: Checked) -> None:
    rig.without(EXTERNAL, "Incident", "read")
    assert rig.fault(EXTERNAL).startswith("Incident: the account lacks the right of reading data of class Incident. Give it")


def test_attachments_that_may_not_be_read(rig: Checked) -> None:
    rig.without(EXTERNAL, "Attachment", "bulk read")
    assert "the right of exporting data of class Attachment" in rig.fault(EXTERNAL)


def test_attachments_that_may_not_be_deleted(rig: Checked) -> None:
    rig.without(INTERNAL, "Attachment", "delete")
    assert rig.fault(INTERNAL).startswith("the account may not delete attachments.")
    rig.rules(deletion=Deletion.NEVER)
    assert rig.wrong() == []


@pytest.mark.parametrize("mode", [AccessMode.READ_ONLY, AccessMode.ADMINISTRATORS_WRITE])
def test_a_server_in_read_only_mode_is_one_fault(rig: Checked, mode: AccessMode) -> None:
    rig.external.access_mode = mode
    fault = rig.fault(EXTERNAL)
    assert fault.startswith(
        "the account may not change UserRequest, Incident, Problem, NormalChange; add attachments; delete attachments"
    )
    assert "iTop is in read-only mode" in fault


def test_rights_that_the_rules_do_not_need_are_not_asked_for(rig: Checked) -> None:
    rig.external.access_mode = AccessMode.READ_ONLY
    one_way = Direction.TO_INTERNAL
    rig.rules(
        attachments=one_way,
        images=False,
        deletion=Deletion.NEVER,
        classes=tuple(
            replace(
                cls,
                logs=tuple(replace(log, direction=one_way) for log in cls.logs),
                state=replace(cls.state, direction=one_way),
            )
            for cls in rig.configuration.rules.classes
        ),
    )
    assert rig.wrong() == []


def test_an_account_that_sees_no_organisation_cannot_tell_who_it_is(rig: Checked) -> None:
    rig.external.accounts["sync"] = rig.external.accounts["sync"].limited_to(99)
    assert any("does not return our account's id" in finding.what for finding in rig.wrong())
