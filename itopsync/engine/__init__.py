"""One cycle: poll both sides, observe what is dirty, plan, check, apply, and keep what was agreed.

``cycle``      the whole pass, and its report
``poll``       what changed on one side since the cursor
``deletions``  which attachments went, found by counting and halving
``work``       what is due, worked on a piece after the other while the next one is observed
``backlog``    what is due, in its order
``observe``    what both sides show of a batch of links
``apply``      one plan carried out, whatever comes back
``budget``     how many bytes of files may be in flight
``lease``      the right to be the one writer
``preview``    the same without the writing
"""
