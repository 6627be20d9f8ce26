-- On which branches requests were made, where no host tells.

-- A branch that a session was on in the hour in which it asked for a request.
CREATE TABLE session_asked (
    session_id TEXT NOT NULL,
    repo TEXT NOT NULL,
    week TEXT NOT NULL,
    number BIGINT NOT NULL,              -- of the request
    branch TEXT NOT NULL,
    PRIMARY KEY (session_id, repo, week, number, branch),
    FOREIGN KEY (session_id, repo, week) REFERENCES session (session_id, repo, week)
);
INSERT INTO session_asked (session_id, repo, week, number, branch)
SELECT DISTINCT p.session_id, p.repo, p.week, p.number, u.branch FROM session_pull_request AS p
JOIN usage AS u ON u.session_id = p.session_id AND u.repo = p.repo AND u.week = p.week
    AND u.hour = SUBSTR(p.acted_at, 1, 13) || ':00:00Z'
WHERE p.action = 'created' AND u.branch NOT IN ('', '*');
CREATE INDEX session_asked_of_number ON session_asked (repo, number, branch);
