-- What another ledger than the one that sent a report may not lower: its output tokens, as its requests.

ALTER TABLE session ADD COLUMN output BIGINT NOT NULL DEFAULT 0; -- output tokens of all rows
UPDATE session SET output = COALESCE((
    SELECT CAST(SUM(u.output) AS BIGINT) FROM usage AS u
    WHERE u.session_id = session.session_id AND u.repo = session.repo AND u.week = session.week
), 0);
