-- What broke for users, as somebody tells it.

-- An incident.
CREATE TABLE incident (
    repo TEXT NOT NULL,                  -- where it happened: host/owner/name
    service TEXT NOT NULL,               -- who tells: api, else as service.kind
    incident TEXT NOT NULL,              -- what that calls it: an id, or the address of a ticket
    opened_at TEXT NOT NULL,
    resolved_at TEXT,                    -- NULL: it lasts
    sha TEXT,                            -- the commit that it is said to come from, its first 7 digits or more
    number BIGINT,                       -- the request that it is said to come from
    PRIMARY KEY (repo, service, incident)
);

-- Which change an incident comes from: the one change that its commit, else its request is part of.
CREATE VIEW incident_cause AS
SELECT i.repo, i.service, i.incident, MIN(m.change_sha) AS change
FROM incident AS i
JOIN change_commit AS m ON m.repo = i.repo AND m.sha >= i.sha AND m.sha < i.sha || 'g'
GROUP BY i.repo, i.service, i.incident
HAVING COUNT(DISTINCT m.change_sha) = 1
UNION ALL
SELECT i.repo, i.service, i.incident, c.sha AS change
FROM incident AS i
JOIN change AS c ON c.repo = i.repo AND c.number = i.number
WHERE i.sha IS NULL;

ALTER TABLE token ADD COLUMN scope TEXT NOT NULL DEFAULT 'report:write'; -- or incident:write: it may tell incidents of repo, no more
