-- How large a request is and how it was reviewed, where its host was asked for it.

ALTER TABLE pull_request ADD COLUMN lines_changed BIGINT; -- added and deleted; NULL: not asked
ALTER TABLE pull_request ADD COLUMN reviewed_at TEXT;     -- by somebody else for the first time; NULL: not yet, or not asked
ALTER TABLE pull_request ADD COLUMN reviews BIGINT;       -- by others, of the first 20; NULL: not asked
