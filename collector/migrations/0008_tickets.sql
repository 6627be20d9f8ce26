-- Tickets that requests close, and those that were opened again.

-- A ticket that a request closes when it lands.
CREATE TABLE ticket (
    ticket TEXT NOT NULL PRIMARY KEY,    -- its address
    service TEXT NOT NULL,               -- the service it is kept by, as `service` names it
    id TEXT NOT NULL                     -- what that service calls it
);
CREATE INDEX ticket_of_service ON ticket (service, id);

-- When a ticket was closed or opened again.
CREATE TABLE ticket_event (
    ticket TEXT NOT NULL REFERENCES ticket (ticket),
    place BIGINT NOT NULL,               -- in the order of time
    happened_at TEXT NOT NULL,
    event TEXT NOT NULL,                 -- closed, reopened
    actor TEXT,                          -- the account; NULL: it is gone
    by_hand BIGINT NOT NULL,             -- 1: somebody closed it, no change did
    as_done BIGINT NOT NULL,             -- 0: closed as a duplicate or as not planned
    PRIMARY KEY (ticket, place)
);

-- Which request closes which ticket.
CREATE TABLE pull_request_ticket (
    repo TEXT NOT NULL,
    number BIGINT NOT NULL,
    ticket TEXT NOT NULL REFERENCES ticket (ticket),
    PRIMARY KEY (repo, number, ticket)
);
CREATE INDEX pull_request_ticket_of_ticket ON pull_request_ticket (ticket);

-- A ticket that was opened again after a change had closed it, whenever it was.
CREATE TABLE reopen (
    repo TEXT NOT NULL,
    sha TEXT NOT NULL,                   -- the change that had closed it
    ticket TEXT NOT NULL REFERENCES ticket (ticket),
    reopened_at TEXT NOT NULL,
    misclick BIGINT NOT NULL,            -- 1: closed again at once, as no work at all; it counts against nobody
    in_window BIGINT NOT NULL,           -- 1: before the window of the change ended
    PRIMARY KEY (repo, sha, ticket, reopened_at),
    FOREIGN KEY (repo, sha) REFERENCES change (repo, sha)
);

CREATE INDEX pull_request_of_merge ON pull_request (repo, merge_sha);
ALTER TABLE disqualification ADD COLUMN by_url TEXT; -- the ticket, with kind reopen; by_sha is '' then
