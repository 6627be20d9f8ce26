-- Spend by the team whose change it built, beside the team whose people spent it.

-- The spend of each team and week, what of it built changes of others, and what others spent on its changes.
CREATE VIEW team_week_work AS
SELECT
    team, week,
    CAST(SUM(spend_nanousd) AS BIGINT) AS spend_nanousd,
    CAST(SUM(lent_nanousd) AS BIGINT) AS lent_nanousd,
    CAST(SUM(borrowed_nanousd) AS BIGINT) AS borrowed_nanousd,
    CAST(SUM(spend_nanousd - lent_nanousd + borrowed_nanousd) AS BIGINT) AS work_nanousd,
    SUM(spend_nanousd) / 1000000000.0 AS spend_usd,
    SUM(lent_nanousd) / 1000000000.0 AS lent_usd,
    SUM(borrowed_nanousd) / 1000000000.0 AS borrowed_usd,
    SUM(spend_nanousd - lent_nanousd + borrowed_nanousd) / 1000000000.0 AS work_usd
FROM (
    SELECT team, week, billed_nanousd + list_equivalent_nanousd AS spend_nanousd, 0 AS lent_nanousd, 0 AS borrowed_nanousd
    FROM team_week_sum
    UNION ALL
    SELECT a.team, a.week, 0, COALESCE(a.cost_nanousd, 0), 0
    FROM attribution AS a
    JOIN change AS c ON c.repo = a.change_repo AND c.sha = a.change AND c.team <> a.team
    WHERE a.class IN ('ci', 'commit', 'branch', 'carried')
    UNION ALL
    SELECT c.team, a.week, 0, 0, COALESCE(a.cost_nanousd, 0)
    FROM attribution AS a
    JOIN change AS c ON c.repo = a.change_repo AND c.sha = a.change AND c.team <> a.team
    WHERE a.class IN ('ci', 'commit', 'branch', 'carried')
) AS w
GROUP BY team, week;
