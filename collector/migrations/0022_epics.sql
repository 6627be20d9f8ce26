-- What tickets are a part of, and which changes name them.

-- the key of its epic, the id of its project, else the key of the ticket it is a part of; NULL: nothing that is known
ALTER TABLE ticket_key ADD COLUMN epic TEXT;
-- what was read before is read again, as it was not asked for that
UPDATE ticket_key SET revision = '' WHERE ticket IS NOT NULL;

-- A change and the key of a ticket that it names.
CREATE TABLE change_key (
    repo TEXT NOT NULL,
    sha TEXT NOT NULL,                   -- of the change
    key TEXT NOT NULL,                   -- as in `ticket_key`
    PRIMARY KEY (repo, sha, key)
);
CREATE INDEX change_key_of_key ON change_key (key);
