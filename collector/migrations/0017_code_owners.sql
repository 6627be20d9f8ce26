-- Whom a repository itself names as the owners of its files. A line `CODEOWNERS @acme/pay` in `team_repository.paths` is the
-- handle by which it names the team.

-- A repository's CODEOWNERS.
CREATE TABLE code_owners (
    repo TEXT NOT NULL PRIMARY KEY,      -- host/owner/name
    text TEXT NOT NULL                   -- as the newest commit that was read has it
);
