//! Changes that turn earlier ones round without a word, by real git.

use super::*;
use ::tests::dice::Dice;

const TURNED: &str = "SELECT o.title, b.title FROM inverse_patch AS i
    JOIN change AS o ON o.repo = i.repo AND o.sha = i.sha
    JOIN change AS b ON b.repo = i.repo AND b.sha = i.by_sha ORDER BY b.landed";

/// As after an upgrade.
const LAST_OF_0023: &str = "UPDATE source SET cursor = '' WHERE kind = 'clone'";

/// Twenty lines, one of them this.
fn lines(at: usize, line: &str) -> String {
    let mut lines: Vec<String> = (0..20).map(|line| format!("line {line}\n")).collect();
    lines[at] = format!("{line}\n");
    lines.concat()
}

#[test]
fn what_is_turned_round_without_a_word_was_taken_back() {
    let (_folder, repository, source) = repository();
    write(&repository, "x.rs", &lines(2, "two"));
    repository.commit_at(&day(2), "Begin x (#1)");
    write(&repository, "x.rs", &lines(2, "2"));
    repository.commit_at(&day(3), "Write figures (#2)");
    write(&repository, "x.rs", &lines(2, "2").replace("line 17\n", "17\n17\n"));
    repository.commit_at(&day(4), "Go on (#3)");
    on_both(|db| {
        teams(db, TEAMS, now());
        sync(db, &source, now()).unwrap();
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        assert!(rows(db, REVERTS).is_empty());
        // read by another sync, and further down the file went on
        repository.git(&["switch", "--quiet", "-c", "plain"]);
        write(&repository, "x.rs", &lines(2, "two").replace("line 17\n", "17\n17\n"));
        repository.commit_at(&day(5), "Words again");
        repository.git(&["switch", "--quiet", "main"]);
        let message = "Merge pull request #4 from acme/plain\n\nPlain words";
        repository.git_at(&day(5), &["merge", "--quiet", "--no-ff", "-m", message, "plain"]);
        sync(db, &source, now()).unwrap();
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        assert_eq!(rows(db, TURNED), ["Write figures|Plain words"]);
        db.execute("DELETE FROM inverse_patch", &[]).unwrap();
        db.execute(LAST_OF_0023, &[]).unwrap();
        sync(db, &source, now()).unwrap();
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        assert_eq!(rows(db, TURNED), ["Write figures|Plain words"], "read again by an upgrade");
        assert_eq!(rows(db, REVERTS), ["2|revert|inverse patch|0|1"]);
        assert_eq!(rows(db, "SELECT kind, rule FROM disqualification"), ["revert|inverse patch"]);
        let states = "SELECT number, state, excluded_as FROM change WHERE number > 0 ORDER BY number";
        assert_eq!(rows(db, states), ["1|verified|", "2|disqualified|", "3|verified|", "4|excluded|revert"]);
        repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
        repository.git(&["branch", "--quiet", "-D", "plain"]);
        sync(db, &source, now()).unwrap();
        assert!(rows(db, TURNED).is_empty(), "it never landed");
    });
}

#[test]
fn what_is_nearly_turned_round_was_not() {
    let (_folder, repository, source) = repository();
    let land = |on: &str, message: &str, files: &[(&str, &str)]| {
        for (file, text) in files {
            write(&repository, file, text);
        }
        repository.commit_at(on, message)
    };
    let (one, two) = (lines(2, "one"), lines(2, "two"));
    let all = ["x", "y", "z", "w", "v", "u"].map(|file| (file, one.as_str()));
    fs::write(repository.path.join("l"), b"\xe9").unwrap();
    fs::create_dir(repository.path.join("web")).unwrap();
    land(&day(1), "Begin", &[("Cargo.lock", &*one), ("web/package.json", &*one)]);
    land(&day(1), "Begin the rest", &[&all[..], &[("b", "\0 1")]].concat());
    land(&day(2), "u: two", &[("u", &two)]);
    let further = |text: &str, step: usize| text.replace("line 17\n", &format!("{step}\n"));
    for step in 0..100 {
        land(&day(2), "u goes on", &[("u", &further(&two, step))]);
    }
    land(&day(2), "u: one, a hundred changes later", &[("u", &further(&one, 99))]);
    land(&day(2), "x: two", &[("x", &two)]);
    land(&day(2), "x: one, and more", &[("x", &lines(2, "one, really"))]);
    land(&day(2), "y: two", &[("y", &two)]);
    land(&day(2), "y: one, and z", &[("y", &one), ("z", &two)]);
    land(&day(2), "b: 2", &[("b", "\0 2")]);
    land(&day(2), "b: 1", &[("b", "\0 1")]);
    land(&day(2), "lock: two", &[("Cargo.lock", &two), ("web/package.json", &two)]);
    land(&day(2), "lock: one", &[("Cargo.lock", &one), ("web/package.json", &one)]);
    for letter in [b"\xe8", b"\xea"] {
        fs::write(repository.path.join("l"), letter).unwrap();
        repository.commit_at(&day(2), "in Latin-1");
    }
    repository.git(&["config", "user.email", "49699333+dependabot[bot]@users.noreply.github.com"]);
    land(&day(2), "w: two", &[("w", &two)]);
    land(&day(2), "w: one", &[("w", &one)]);
    repository.git(&["config", "--unset", "user.email"]);
    repository.commit_at(&day(3), "nothing");
    repository.commit_at(&day(3), "nothing again");
    land("2026-10-03T12:00:00Z", "v: two", &[("v", &two)]);
    land("2027-01-03T12:00:00Z", "v: one, long after", &[("v", &one)]);
    let later = "2027-02-01T12:00:00Z".parse().unwrap();
    on_both(|db| {
        sync(db, &source, later).unwrap();
        assert!(rows(db, TURNED).is_empty());
    });
}

/// Files that go back and forth: where one becomes what it was before the change before it, that one was turned round.
#[test]
fn whoever_puts_files_back_as_they_were_turns_them_round() {
    for seed in 0..4 {
        let (_folder, repository, source) = repository();
        let mut dice = Dice::new(seed);
        let mut expected = Vec::new();
        let mut before: Vec<[usize; 2]> = vec![[0, 0], [0, 0]];
        let text = |state: usize| lines(2 + state, &format!("state {state}"));
        for (file, name) in ["x", "y"].into_iter().enumerate() {
            write(&repository, name, &text(before[file][1]));
        }
        repository.commit_at(&day(2), "Begin");
        let mut titles = [String::new(), String::new()];
        for step in 0..12 {
            let file = dice.index(2);
            let [was, is] = before[file];
            let next = if dice.once_in(2) { was } else { (is + 1) % 12 };
            if next == is {
                continue;
            }
            write(&repository, ["x", "y"][file], &text(next));
            let title = format!("step {step}");
            repository.commit_at(&day(3), &title);
            if next == was && !titles[file].is_empty() {
                expected.push(format!("{}|{title}", titles[file]));
            }
            (before[file], titles[file]) = ([is, next], title);
        }
        on_both(|db| {
            sync(db, &source, now()).unwrap();
            assert_eq!(rows(db, TURNED), expected, "seed {seed}");
        });
    }
}
