-- What the labels of a team's requests say of its work.

-- A label and the kind of work it stands for, as teams.toml says.
CREATE TABLE team_label (
    team TEXT NOT NULL REFERENCES team (team),
    kind TEXT NOT NULL,                  -- new value, keep the lights on
    label TEXT NOT NULL,                 -- in which * is any text
    PRIMARY KEY (team, kind, label)
);
