-- How much a request was talked about.

ALTER TABLE pull_request ADD COLUMN comments BIGINT; -- on it and on its lines, whoever made them; NULL: not asked
