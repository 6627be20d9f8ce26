-- What a team's changes would be by either strictness, whichever holds.

ALTER TABLE change_tally ADD COLUMN targeted_verified BIGINT NOT NULL DEFAULT 0;
ALTER TABLE change_tally ADD COLUMN targeted_disqualified BIGINT NOT NULL DEFAULT 0;
ALTER TABLE change_tally ADD COLUMN literal_verified BIGINT NOT NULL DEFAULT 0;
ALTER TABLE change_tally ADD COLUMN literal_disqualified BIGINT NOT NULL DEFAULT 0;

-- Until the next judging, which begins from nothing, either says what the one that holds does.
UPDATE change_tally SET
    targeted_verified = verified, targeted_disqualified = disqualified,
    literal_verified = verified, literal_disqualified = disqualified;
UPDATE judged SET version = '';

-- A team and a week in which something was decided: its verified share by either strictness, where the week is mature.
CREATE VIEW team_week_strictness AS
SELECT
    s.team, s.week, s.policy_id, s.strictness,
    s.targeted_verified + s.targeted_disqualified AS targeted_attempted, s.targeted_verified,
    CASE WHEN s.mature = 1 AND s.targeted_verified + s.targeted_disqualified > 0
        THEN s.targeted_verified * 1.0 / (s.targeted_verified + s.targeted_disqualified) END AS targeted_share,
    s.literal_verified + s.literal_disqualified AS literal_attempted, s.literal_verified,
    CASE WHEN s.mature = 1 AND s.literal_verified + s.literal_disqualified > 0
        THEN s.literal_verified * 1.0 / (s.literal_verified + s.literal_disqualified) END AS literal_share,
    s.mature, s.computed_at
FROM (
    SELECT
        c.team, c.week, j.policy_id, p.strictness, j.computed_at,
        CAST(CASE WHEN c.week < j.immature_from THEN 1 ELSE 0 END AS BIGINT) AS mature,
        CAST(SUM(c.targeted_verified) AS BIGINT) AS targeted_verified,
        CAST(SUM(c.targeted_disqualified) AS BIGINT) AS targeted_disqualified,
        CAST(SUM(c.literal_verified) AS BIGINT) AS literal_verified,
        CAST(SUM(c.literal_disqualified) AS BIGINT) AS literal_disqualified
    FROM change_tally AS c
    JOIN judging AS j ON j.team = c.team AND j.policy_id = c.policy_id AND j.holds = 1
    JOIN policy AS p ON p.policy_id = j.policy_id
    GROUP BY c.team, c.week, j.policy_id, p.strictness, j.computed_at, j.immature_from
) AS s
WHERE s.targeted_verified + s.targeted_disqualified + s.literal_verified + s.literal_disqualified > 0;
