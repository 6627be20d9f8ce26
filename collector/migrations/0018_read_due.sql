-- What follows from what was read changes with the reading, not with the clock.

-- without news its changes are not judged otherwise until it was read by then; NULL: never
ALTER TABLE repo_news ADD COLUMN read_due_at TEXT;
