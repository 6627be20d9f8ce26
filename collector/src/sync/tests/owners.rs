//! Whose a change is where the repository itself says who owns its files.

use super::*;

const TEAMS: &str = r#"
[[team]]
id = "pay"
repositories = [{ repo = "github.com/acme/pay", paths = ["libs/money"], owners = ["@Acme/Pay"] }]
[[team]]
id = "web"
repositories = [{ repo = "github.com/acme/pay", owners = ["@acme/web"] }]
[[team]]
id = "core"
repositories = ["github.com/acme/pay"]
"#;

#[test]
fn a_change_over_several_teams_counts_once_for_the_one_that_codeowners_gives_most_of_it() {
    let (_folder, repository, source) = repository();
    for folder in [".github", "services", "apps", "libs/money"] {
        fs::create_dir_all(repository.path.join(folder)).unwrap();
    }
    let change = |number: u8, files: &[&str]| {
        for file in files {
            write(&repository, file, &number.to_string());
        }
        repository.commit_at(&day(number), &format!("Change (#{number})"));
    };
    change(2, &["services/a", "services/b", "apps/c"]);
    change(3, &["services/a", "apps/c", "apps/d"]);
    change(4, &["libs/money/a"]);
    change(5, &["readme"]);
    change(6, &["services/a", "apps/c"]);
    write(&repository, ".github/CODEOWNERS", "/services/ @acme/pay\n/apps/ @acme/web\n");
    write(&repository, "CODEOWNERS", "* @acme/web\n");
    repository.commit_at(&day(7), "Say who owns what (#7)");
    on_both(|db| {
        teams(db, TEAMS, now());
        sync(db, &source, now()).unwrap();
        judge_at(db, &source, "2026-11-25T12:00:00Z");
        let owners = rows(db, "SELECT number, team FROM change WHERE number IS NOT NULL ORDER BY number");
        assert_eq!(owners, ["2|pay", "3|web", "4|pay", "5|core", "6|unassigned", "7|core"]);
        let part = rows(db, "SELECT paths FROM team_repository WHERE team = 'pay'");
        assert_eq!(part, ["libs/money\nCODEOWNERS @acme/pay"]);
    });
}
