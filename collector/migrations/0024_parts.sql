-- What was spent in each repository and on each model, week by week.

-- The sums of usage by team, week, repository and model, kept in the transaction that changes usage: those of one team
-- and week sum to its row of team_week_sum.
CREATE TABLE spend_sum (
    team TEXT NOT NULL,
    week TEXT NOT NULL,
    repo TEXT NOT NULL,
    model TEXT NOT NULL,                 -- as the transcript names it
    usage_rows BIGINT NOT NULL,
    unpriced_rows BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    input BIGINT NOT NULL,
    output BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    web_search BIGINT NOT NULL,
    billed_nanousd BIGINT NOT NULL,
    list_equivalent_nanousd BIGINT NOT NULL,
    PRIMARY KEY (team, week, repo, model)
);
CREATE INDEX spend_sum_of_repo ON spend_sum (repo, week);
CREATE INDEX spend_sum_of_model ON spend_sum (model, week);

INSERT INTO spend_sum (
    team, week, repo, model, usage_rows, unpriced_rows, requests, input, output, cache_read, cache_write_5m,
    cache_write_1h, web_search, billed_nanousd, list_equivalent_nanousd)
SELECT
    team, week, repo, model, COUNT(*),
    CAST(SUM(CASE WHEN cost_nanousd IS NULL THEN 1 ELSE 0 END) AS BIGINT),
    CAST(SUM(requests) AS BIGINT), CAST(SUM(input) AS BIGINT), CAST(SUM(output) AS BIGINT),
    CAST(SUM(cache_read) AS BIGINT), CAST(SUM(cache_write_5m) AS BIGINT), CAST(SUM(cache_write_1h) AS BIGINT),
    CAST(SUM(web_search) AS BIGINT),
    CAST(SUM(CASE WHEN cost_basis = 'list' THEN COALESCE(cost_nanousd, 0) ELSE 0 END) AS BIGINT),
    CAST(SUM(CASE WHEN cost_basis = 'list_equivalent' THEN COALESCE(cost_nanousd, 0) ELSE 0 END) AS BIGINT)
FROM usage GROUP BY team, week, repo, model;
