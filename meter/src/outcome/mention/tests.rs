//! Every listed form of a mention, and what only looks like one.

use super::*;

fn repo() -> Repo {
    "github.com/acme/pay".parse().unwrap()
}

fn shown(mention: &Mention) -> String {
    let target = match &mention.target {
        Target::Commit(id) => id.clone(),
        Target::Number(number) => format!("#{number}"),
        Target::Title { text, cut } => format!("{text:?}{}", if *cut { "…" } else { "" }),
    };
    let again = if mention.again { " again" } else { "" };
    let partial = if mention.partial { " partly" } else { "" };
    format!("{} {target}{again}{partial}", mention.rule.as_str())
}

/// What the strongest rule of a message says.
#[track_caller]
fn check(message: &str, expected: &[&str]) {
    let mentions = words(message, &repo()).mentions;
    let strongest = mentions.iter().map(|mention| mention.rule).min();
    let of = mentions.iter().filter(|mention| Some(mention.rule) == strongest);
    assert_eq!(of.map(shown).collect::<Vec<_>>(), expected, "{message}");
}

#[test]
fn commits_are_named_in_full_and_short() {
    let full = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";
    check(&format!("x\n\nThis reverts commit {full}."), &[&format!("commit {full}")]);
    check("x\n\nThis reverts commit 1A2B3C4.", &["commit 1a2b3c4"]);
    check("x\n\nThis reverts commit\n1a2b3c4, reversing changes made\nto 9f8e7d6.", &["commit 1a2b3c4"]);
    check(
        "x\n\nThis reverts commits 1a2b3c4, 2b3c4d5 and 3c4d5e6.",
        &["commit 1a2b3c4", "commit 2b3c4d5", "commit 3c4d5e6"],
    );
    check("x\n\nThis reverts commits 1a2b3c4, and 2b3c4d5.", &["commit 1a2b3c4", "commit 2b3c4d5"]);
    check("x\n\nReverts part of commit 1a2b3c4", &["commit 1a2b3c4 partly"]);
    check("x\n\nThis partially reverts commit 1a2b3c4", &["commit 1a2b3c4 partly"]);
    check("x\n\nThis reverts merge commit 1234567", &["commit 1234567"]);
    check("x\n\nReverts 1a2b3c4", &["commit 1a2b3c4"]);
    check("x\n\nThis reverts https://github.com/acme/pay/commit/1a2b3c4d", &["commit 1a2b3c4d"]);
    check("x\n\nThis relands commit 1a2b3c4", &["commit 1a2b3c4 again"]);
}

#[test]
fn requests_are_referred_to() {
    check("x\n\nReverts #12", &["reference #12"]);
    check("x\n\nReverts acme/pay#12", &["reference #12"]);
    check("x\n\nreverts !12", &["reference #12"]);
    check("x\n\nThis PR reverts PR 12.", &["reference #12"]);
    check("x\n\nReverts pull request #12 and #13", &["reference #12", "reference #13"]);
    check("x\n\nReverts https://github.com/acme/pay/pull/12/files", &["reference #12"]);
    check(
        "x\n\nThe flag goes, reverting #12, #13 & #14",
        &["reference #12", "reference #13", "reference #14"],
    );
    check("x\n\nA revert of #12", &["reference #12"]);
    check("x\n\nIt brought a bug, reverting #12", &["reference #12"]);
    check("x\n\nReverts:\n- #12\n- #13 (the cache)\n\nand #14", &["reference #12", "reference #13"]);
    check("Revert #12 (#14)", &["reference #12"]);
    check("chore: revert PR #12", &["reference #12"]);
    check("[api] fix: revert !12 (#14)", &["reference #12"]);
    check("Undo: revert commit 1a2b3c4", &["commit 1a2b3c4"]);
    check("Back out #12", &["reference #12"]);
    check("x\n\nBacked out 1a2b3c4d, 2b3c4d5e", &["commit 1a2b3c4d", "commit 2b3c4d5e"]);
    check("x\n\nThis rolls back #12", &["reference #12"]);
    check("Undo #12 (#14)", &["reference #12"]);
    check("x\n\nRelands #12", &["reference #12 again"]);
    check("x\n\nUn-reverts #12", &["reference #12 again"]);
    let repo = "gitlab.com/group/sub/pay".parse().unwrap();
    let of = |message: &str| words(message, &repo).mentions.iter().map(shown).collect::<Vec<_>>();
    assert_eq!(of("x\n\nReverts group/sub/pay!12"), ["reference #12"]);
    assert_eq!(of("x\n\nreverts https://gitlab.com/group/sub/pay/-/merge_requests/12"), ["reference #12"]);
}

#[test]
fn a_name_that_is_told_of_was_not_taken_back() {
    for (told, said) in [
        ("x\n\nReverts #12 was considered and rejected", "x\n\nReverts #12, which was wrong"),
        ("x\n\nReverting #12 would be too risky", "x\n\nReverts #12. It would be too risky"),
        ("x\n\nThis is no revert of #12", "x\n\nNo, this is a revert of #12"),
        ("x\n\nThis isn't really a revert of #12", "x\n\nThis is really a revert of #12"),
        ("x\n\nNot exactly a full revert of #12", "x\n\nThis is exactly a revert of #12"),
        ("Revert #12 if it fails at night", "Revert #12 as it fails at night"),
        ("Revert #12 unless it is quick (#14)", "Revert #12 until it is quick (#14)"),
        ("x\n\nIt does not need a revert of #12", "x\n\nIt would not start: a revert of #12."),
        ("x\n\nThis is not the full revert of #12", "x\n\nIt did not help; the full revert of #12."),
        ("Fix: rollback of #12 left tables", "Fix: rollback of #12"),
        ("x\n\nRevert of #12 broke the build", "x\n\nRevert of #12 for the build"),
        ("x\n\nRevert of PR 12 is in #13", "x\n\nRevert of PR 12"),
    ] {
        let names =
            |message| words(message, &repo()).mentions.iter().any(|one| one.target == Target::Number(12));
        assert!(!names(told), "{told}");
        assert!(names(said), "{said}");
    }
}

#[test]
fn what_begins_the_next_line_tells_nothing_of_a_name() {
    for (message, number) in [
        ("x\n\nReverts #13\nfails on CI", 13),
        ("x\n\nThis reverts #17\nif anyone wonders why", 17),
        ("x\n\nRevert of #18\ncan be undone later", 18),
        ("x\n\nReverts\n#19 once and for all", 19),
        ("x\n\nReverts #15, #16 is kept", 15),
    ] {
        check(message, &[&format!("reference #{number}")]);
    }
    check("x\n\nReverts\n#13 fails on CI", &[]);
}

#[test]
fn a_number_alone_is_a_request_where_it_ends_what_is_said() {
    for number in [
        "Revert 1234",
        "revert PR 1234",
        "Revert PR 1234 (#1236)",
        "[10.x] Reverts 1234 (#1236)",
        "revert 1234 changes (#1236)",
        "revert 1234 and mend the rest (#1236)",
        "x\n\nReverts 1234.",
    ] {
        check(number, &["reference #1234"]);
    }
    for nothing in [
        "x\n\nReverts 404",
        "x\n\nReverts 5000 lines of it",
        "x\n\nReverts 12345678",
        "x\n\nReverts 2025.",
        "x\n\nReverts 1234 changes of it",
        "x\n\nIt times out after reverting 1234",
        "x\n\nIt goes back to 1234 and reverts",
        "x\n\nThe default goes down, reverting 5000",
    ] {
        check(nothing, &[]);
    }
}

#[test]
fn what_is_done_to_it_may_stand_behind_a_name() {
    check("x\n\nThis follows up on #12 (reverting it) which was wrong", &["reference #12"]);
    check("x\n\nIt broke by #12 (reverts it).", &["reference #12"]);
    for nothing in [
        "x\n\nIt broke by #12 (not reverting it)",
        "x\n\nIt broke by #12 (reverting it did not help)",
        "x\n\nIt broke by other/project#12 (reverting it)",
        "x\n\nIt broke. (Reverting it)",
    ] {
        check(nothing, &[]);
    }
}

#[test]
fn what_is_named_may_be_something_of_the_target() {
    check("x\n\nReverts the analyzer portion of #12", &["reference #12 partly"]);
    check("x\n\nThis reverts the debug logging change introduced in #12.", &["reference #12"]);
    check("x\n\nHere we have less, reverting a few of the changes from 1a2b3c4", &["commit 1a2b3c4 partly"]);
    check("x\n\nReverts some of the plumbing added by commit 1a2b3c4", &["commit 1a2b3c4 partly"]);
    check("Revert `uninstall` deduplication from #12 (#14)", &["reference #12"]);
    check("x\n\nIt reverts changes to the parser in pull request 12", &[]); // to where, or what of?
    check("x\n\nSemi-revert of #12", &["reference #12 partly"]);
    check("x\n\nSort of a revert of: https://github.com/acme/pay/pull/12", &["reference #12"]);
    for nothing in [
        "x\n\nReverted the flag in #12",
        "x\n\nReverts the flag because of a fault in #12",
        "x\n\nIt reverts the flag, as said in #12",
        "x\n\nWe have to revert the flag from #12",
    ] {
        check(nothing, &[]);
    }
}

#[test]
fn a_title_with_its_number_is_named_wherever_it_is_said() {
    check("x\n\n* Revert \"Add y (#12)\"\n* Revert \"Add z (#14)\"", &["number #12", "number #14"]);
    check("x\n\n- **Revert \"Add y\nand z (#12)\"**\n- more", &["number #12"]);
    check("x\n\nSpecifically, this PR reverts \"Add y\n(#12)\", for it is slow", &["number #12"]);
    check("x\n\nRevert \"Add y (#12)\"\nRevert \"Add z (#14)\"", &["number #12", "number #14"]);
    check("x\n\nRevert \"Revert \"Add y (#12)\" (#14)\"", &["number #14"]);
    check("x\n\n* Revert \"Add y (#12)\" @ana (#14)", &[]);
    check("x\n\n* Revert “Add y (#12)”\n* Revert ‘Add z (#14)’", &["number #12", "number #14"]);
    check("x\n\nRevert “Revert “Add y (#12)” (#14)”", &["number #14"]);
    check("x\n\n- Revert “Revert “Add y (#12)””", &[]);
    check("Revert \"never add y #12\" (#14)", &["title \"never add y #12\""]);
}

#[test]
fn what_is_taken_back_may_be_told_before_its_name() {
    check("x\n\nThis reverts the fix for that\n(commit 1a2b3c4) at last", &[]);
    check("x\n\nThis reverts the slow path (commit 1a2b3c4) at last", &["commit 1a2b3c4"]);
    check("x\n\nReverts the new flag (#12).", &["reference #12"]);
    check("x\n\nrevert changes to pay.rs from 1a2b3c4", &["commit 1a2b3c4"]);
    check("x\n\nSafer. This commit effectively undoes the guard in 1a2b3c4", &["commit 1a2b3c4"]);
    check(
        "x\n\nIt reverts both the code from that request and the earlier regex change from #12",
        &["reference #12"],
    );
}

#[test]
fn more_than_one_may_be_named() {
    check("demo: revert #12 #13 (#14)", &["reference #12", "reference #13"]);
    check(
        "x\n\nThis reverts #12 and its follow-up changes in #13,\n#14, and #15.",
        &["reference #12", "reference #13", "reference #14", "reference #15"],
    );
    check("x\n\nReverts #12, the changes in #13 stay", &["reference #12"]);
    let listed = "x\n\nThis goes back, which reverts the\nfollowing commits:\n\n\"Add y\"\n1a2b3c4d5e6f.\n\"Add z\"\n\
                  2b3c4d5e6f70.\n\nThen it\ngoes on with 3c4d5e6f7080";
    check(listed, &["commit 1a2b3c4d5e6f", "commit 2b3c4d5e6f70"]);
    let bullets = "x\n\nThis involves reverting these changes:\n  * Add y\n  ** Hash: 1a2b3c4d5e6f\n";
    check(bullets, &["commit 1a2b3c4d5e6f"]);
    check("x\n\nReverts the flag for two reasons:\n- #12 needs none", &[]);
    check("x\n\nReverts #12 and in #13 the rest stays", &["reference #12"]);
    check("x\n\nInstead of reverting the release we ship the\nfollowing changes:\n\n* #12", &[]);
    check("x\n\nReverting is a risk, so here are the next changes:\n- #12", &[]);
    check("x\n\nReverting would be too risky, so next are:\n- #12", &[]);
}

#[test]
fn a_list_of_what_was_done_may_name_it() {
    check("x\n\n* Undo most of 1a2b3c4d, tell where", &["commit 1a2b3c4d partly"]);
    check("x\n\n* revert #12\n* try again", &["reference #12"]);
    for release in ["Release 1.2", "release: v1.2.0 (#14)", "chore(release): 1.2.0", "v1.2.0-rc.1"] {
        check(&format!("{release}\n\n* Add y\n* Revert #12\n* Add z"), &[]);
    }
    check("Release 1.2\n\nReverts #12", &["reference #12"]);
    for of_others in ["* Revert #12 (#14)", "* revert #12 by @ana", "- revert #12 [#14]", "* Reverted #12"] {
        check(&format!("x\n\n{of_others}"), &[]);
    }
}

#[test]
fn words_around_it_change_nothing() {
    check("x\n\nNothing else worked, so let's\njust revert 1a2b3c4d (again).", &["commit 1a2b3c4d"]);
    check("x\n\nThe patch partially reverts changes introduced in:\n#12", &["reference #12 partly"]);
    check("x\n\nThis reverts some changes from acme/pay@1a2b3c4", &["commit 1a2b3c4 partly"]);
    check("x\n\nReverts other/project@1a2b3c4", &[]);
    check("x\n\nIt failed, so we ended up reverting it in #12", &[]);
}

#[test]
fn a_heading_is_no_prose() {
    let place = |message| words(message, &repo()).mentions.first().map(|mention| mention.place);
    assert_eq!(place("x\n\n## Summary\n\nThis reverts #12"), Some(Place::Opening));
    assert_eq!(place("x\n\nIt is slow\n\n## More\n\nThis reverts #12"), Some(Place::Passing));
    check("x\n\n## Re-land of #12 (reworked)\n\nIt came too early", &["reference #12 again"]);
    check("x\n\n## Test plan\n\nReverted #12, then it failed", &[]);
    check("x\n\n## Test plan\n\nNone\n\n## Notes\n\nReverts #12", &["reference #12"]);
    check("x\n\n## Latest changes\n\nReverts #12", &["reference #12"]);
    for heading in ["Test plan", "How it was tested"] {
        check(
            &format!("x\n\n## {heading}\n\nReverts #12\n\nThis reverts commit 1a2b3c4."),
            &["commit 1a2b3c4"],
        );
    }
}

#[test]
fn a_paragraph_turns_no_other() {
    check("x\n\n* Revert \"a test of the bug\"\n\nThis reverts commit 1a2b3c4.", &["commit 1a2b3c4"]);
    check("x\n\nA queue that is not\n\n- reverting #12", &["reference #12"]);
}

#[test]
fn titles_are_repeated_with_and_without_their_number() {
    check("Revert \"Add x (#12)\"", &["number #12"]);
    check("Revert \"Add x (#12)\" (#14)", &["number #12"]);
    check("Revert \"Add x (#12)\" (#14) (#16)", &["number #12"]);
    check("Revert \"Merge pull request #12 from acme/x\"", &["number #12"]);
    check("revert(api): add x (#12) (#14)", &["number #12"]);
    check("revert: add x (!12) (!14)", &["number #12"]);
    check("Revert Add x (#12) (#14)", &["number #12"]);
    check("Revert Add x (#12)", &["number #12"]); // its own, unless that landed before
    check("chore: revert add x (#12) (#14)", &["number #12"]);
    check("[api] fix: revert \"Add x (#12)\" (#14)", &["number #12"]);
    check("⏪ Revert \"Add x (#12)\" (#14)", &["number #12"]);
    check("Revert \"Revert \"Add x (#5)\" (#6)\" (#7)", &["number #6"]);
    check("Reland \"Add x (#12)\" (#14)", &["number #12 again"]);
    check("Revert \"Add x\" (#14)", &["title \"Add x\""]);
    check("Revert 'Add x'", &["title \"Add x\""]);
    for quoted in ["“Add x”", "‘Add x’", "”Add x”", "“Add x\"", "„Add x“", "’Add x’ (#14)"]
    {
        check(&format!("Revert {quoted}"), &["title \"Add x\""]);
    }
    check("Revert “Add x (#12)” (#14)", &["number #12"]);
    check("Revert ‘Ana’s long thing that is cu…’ (#14)", &["title \"Ana’s long thing that is cu\"…"]);
    check("Revert “x” to what it was (#14)", &["number #14"]);
    check("Add x (reland) (#14)", &["title \"Add x\" again"]);
    check("Revert \"Revert \"Add x (#5)\"\"", &["title \"Revert \\\"Add x (#5)\\\"\""]);
    check("Reapply \"Add x\"", &["title \"Add x\" again"]);
    check("Add x (take 2) (#14)", &["title \"Add x\" again"]);
    check("Revert \"Add a long thing that is cu…\n\n…t off (#12)\" (#14)", &["number #12"]);
    check("Revert \"Add a long thing that is cu…", &["title \"Add a long thing that is cu\"…"]);
    check("Revert \"Add a long thing that is cu...\" (#14)", &["title \"Add a long thing that is cu\"…"]);
}

#[test]
fn branches_are_named_by_the_button() {
    let of = |branch: &str| branch_words(branch).as_ref().map(shown).unwrap_or_default();
    assert_eq!(of("revert-12-feature/x"), "branch #12");
    assert_eq!(of("ana/revert-12-x"), "branch #12");
    assert_eq!(of("revert-20836-revert-20833-x"), "branch #20836");
    assert_eq!(of("revert-1a2b3c4d"), "branch 1a2b3c4d");
    assert_eq!(of("revert-12345678"), "branch 12345678");
    for none in ["revert-the-thing", "feature/x", "dont-revert-12-x", "revert-", "revert-12"] {
        assert_eq!(of(none), "", "{none}");
    }
}

#[test]
fn what_only_looks_like_it_says_nothing() {
    for nothing in [
        "Revert",
        "x\n\nWe may have to revert this, or undo or roll back #12",
        "x\n\nThis does not revert commit 1a2b3c4",
        "x\n\nDo not revert #12",
        "x\n\nThis doesn't revert #12",
        "x\n\nCI was red after reverting #12",
        "x\n\nReverted in #12",
        "x\n\nThis was reverted by #12",
        "x\n\nReverts other/project#12",
        "x\n\nReverts https://github.com/other/pay/pull/12",
        "x\n\nReverts https://gitlab.com/acme/pay/pull/12",
        "x\n\n> Reverts #12",
        "x\n\n```\nReverts #12\n```",
        "x\n\n* Revert \"Add y (#12)\" (#14)",
        "x\n\n- Revert \"Add y (#12)\" by @ana in https://github.com/acme/pay/pull/14",
        "x\n\n- Revert \"Add y (#12)\" ([#14](https://x/14))",
        "x\n\n- Revert \"Revert \"Add y (#12)\"\"",
        "x\n\n- Revert \"Add y\"",
        "x\n\nIt does not revert \"Add y (#12)\"",
        "x\n\nReverts to the flag (#12)",
        "x\n\nReverts the flag (see #12)",
        "x\n\nReverts the flag. Better than (#12)",
        "x\n\nIt broke. This reverted #12",
        "x\n\nThe job runs. It undoes #12",
        "x\n\nReverts changes to what was said in #12",
        "ci(reverts): allow fast reverts (#12)",
        "x\n\nReverts #18446744073709551615",
        "Undo \"Add x\"",
        "x\n\nWe back out #12 when it fails",
        "x\n\nThis lets us revert #12 without a deploy",
        "x\n\nReverts the default to 1234567",
        "x\n\nreverting decade defaced",
        "Stop reverting #12 at night (#14)",
        "Test that nothing reverts #12 (#14)",
        "x\n\nIt no longer reverts #12; it never reverts it.",
        "No longer reverts #12; never reverts it.",
        "x\n\nThere is a bug reverting #12",
    ] {
        check(nothing, &[]);
    }
}

#[test]
fn a_year_is_no_request() {
    for (subject, year) in [
        ("Revert 2024 changes (#2033)", 2024),
        ("Revert 2025 and 2026 rates (#2034)", 2025),
        ("Revert 2100", 2100),
    ] {
        let Words { mentions, is_repair } = words(subject, &repo());
        assert!(!mentions.iter().any(|one| one.target == Target::Number(year)) && !is_repair, "{subject}");
    }
    check("Revert PR 2024", &["reference #2024"]);
    check("Revert 2101", &["reference #2101"]);
    check("Revert 1899", &["reference #1899"]);
}

#[test]
fn a_repair_says_so_in_its_subject() {
    for (subject, is_repair) in [
        ("Revert \"Add x\"", true),
        ("revert: add x", true),
        ("Revert #12", true),
        ("chore: revert PR #12", true),
        ("Back out #12", true),
        ("chore: revert the flag (#12)", false),
        ("Revert Add x (#12) (#14)", true),
        ("Reland \"Add x\"", true),
        ("Revert to the old way", false),
        ("Add x (take 2)", false),
        ("Add a revert button", false),
        ("ci(reverts): allow fast reverts (#12)", false),
        ("Revert `pay.toml` changes on Ctrl-C (#12)", false),
        ("Revert \"x\" to what it was (#12)", false),
        ("Add x\n\nReverts #12", false),
        ("Fix the button that reverts #12 in demo (#14)", false),
        ("Before this the job reverts #12 on every deploy, which is a bug (#14)", false),
    ] {
        assert_eq!(words(subject, &repo()).is_repair, is_repair, "{subject}");
    }
}
