-- Who found a disqualification wrong.

ALTER TABLE dispute ADD COLUMN disputed_by TEXT; -- the account that ran `cpvo dispute`; NULL: from before it was kept
