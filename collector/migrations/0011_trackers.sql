-- Tickets that trackers keep and changes name by their keys, and disputes that end where later evidence begins.
--
-- `ticket.service`, as `service.kind`, is one of github, gitlab, jira, linear. `ticket_event.event` may be done, too: the
-- ticket was moved to where work is done, and whether a change did that is not told.

-- A key by which changes name a ticket.
CREATE TABLE ticket_key (
    tracker TEXT NOT NULL,               -- the name of its service
    key TEXT NOT NULL,                   -- PAY-42
    ticket TEXT REFERENCES ticket (ticket), -- NULL: there is none, or the token may not see it
    revision TEXT NOT NULL,              -- when it changed last, as its tracker says: until then all of it is known
    PRIMARY KEY (tracker, key)
);
CREATE INDEX ticket_key_of_ticket ON ticket_key (ticket);

ALTER TABLE dispute ADD COLUMN happened_at TEXT; -- what it found wrong; a later reopen counts. NULL: all up to recorded_at
