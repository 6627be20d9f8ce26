//! What a repository's settings must hold so that its sessions are reported, merged into what they hold.

use super::document::{Document, Step};
use anyhow::{Result, bail};
use serde_json::{Value, json};

/// What a repository ships; the one place that words our hooks.
const SHIPPED: &str = include_str!("../../../hooks-config/settings.json");

const BOOTSTRAP: &str = "exec >/dev/null 2>&1; sh \"$CLAUDE_PROJECT_DIR\"/.claude/cpvo-bootstrap.sh; exit 0";

/// The variables of a repository's settings; `None` keeps what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub url: Option<String>,
    pub token: Option<String>,
    pub developers: Option<String>,
    pub since: Option<String>,
    pub bootstrap: bool,
}

impl Wanted {
    fn env(&self) -> [(&'static str, Option<&str>); 4] {
        [
            ("CPVO_URL", self.url.as_deref()),
            ("CPVO_TOKEN", self.token.as_deref()),
            ("CPVO_DEVELOPERS", self.developers.as_deref()),
            ("CPVO_SINCE", self.since.as_deref()),
        ]
    }

    /// The commands of an event, in order.
    fn hooks(&self, event: &str) -> Vec<Value> {
        let shipped: Value = serde_json::from_str(SHIPPED).unwrap_or_default();
        let mut hooks = shipped["hooks"][event][0]["hooks"].as_array().cloned().unwrap_or_default();
        if self.bootstrap && event == "SessionStart" {
            hooks.push(json!({ "type": "command", "command": BOOTSTRAP, "timeout": 5 }));
        }
        hooks
    }
}

/// The settings with our variables and hooks; `None` is a file that does not exist.
pub(super) fn add(settings: Option<&str>, wanted: &Wanted) -> Result<String> {
    let mut document = Document::parse(settings.unwrap_or_default())?;
    check_shape(&document)?;
    for (name, value) in wanted.env() {
        let Some(value) = value else { continue };
        let path = [key("env"), key(name)];
        match document.value(&path) {
            Some(Value::String(there)) if there == value => {}
            Some(_) => document.replace(&path, &value.into())?,
            None => document.insert(&["env"], Some(name), value.into())?,
        }
    }
    for event in ["SessionStart", "SessionEnd"] {
        set_hooks(&mut document, event, &wanted.hooks(event))?;
    }
    for event in events(&document) {
        if !["SessionStart", "SessionEnd"].contains(&event.as_str()) {
            set_hooks(&mut document, &event, &[])?;
        }
    }
    let end = if settings.is_none() { "\n" } else { "" };
    Ok(document.into_text() + end)
}

/// The settings without anything of ours; `None` where the file was ours alone.
///
/// Undoes [`add`] step by step in the opposite order, which is what makes it exact.
pub(super) fn remove(settings: &str) -> Result<Option<String>> {
    let mut document = Document::parse(settings)?;
    let mut events = events(&document);
    events.sort_by_key(|event| event != "SessionEnd");
    for event in events {
        set_hooks(&mut document, &event, &[])?;
    }
    for (name, _) in Wanted::default().env().iter().rev() {
        let path = [key("env"), key(name)];
        if document.value(&path).is_some() {
            document.remove(&path)?;
        }
    }
    // an empty file would be no JSON to the client
    let emptied = document.is_blank();
    let text = document.into_text();
    Ok((!emptied || text == settings).then_some(text))
}

/// The value a variable of the settings has.
pub(super) fn variable(settings: &str, name: &str) -> Result<Option<String>> {
    let value = Document::parse(settings)?.value(&[key("env"), key(name)]);
    Ok(value.and_then(|value| value.as_str().map(str::to_owned)))
}

/// Makes `wanted` our only hooks of an event; those of others stay.
fn set_hooks(document: &mut Document, event: &str, wanted: &[Value]) -> Result<()> {
    let mut ours = our_hooks(document, event);
    while ours.len() > wanted.len() {
        if let Some(path) = ours.pop() {
            document.remove(&whole_group(document, path))?;
        }
    }
    for (path, hook) in ours.iter().zip(wanted) {
        if document.value(path).as_ref() != Some(hook) {
            document.replace(path, hook)?;
        }
    }
    for hook in wanted.iter().skip(ours.len()) {
        document.insert(&["hooks", event], None, json!({ "hooks": [hook] }))?;
    }
    Ok(())
}

fn events(document: &Document) -> Vec<String> {
    let hooks = document.value(&[key("hooks")]);
    hooks.as_ref().and_then(Value::as_object).map_or_else(Vec::new, |events| events.keys().cloned().collect())
}

/// Where the hooks of ours stand, whatever form of ours they have.
fn our_hooks(document: &Document, event: &str) -> Vec<Vec<Step>> {
    let groups = document.value(&[key("hooks"), key(event)]).unwrap_or_default();
    let mut ours = Vec::new();
    for (group_index, group) in groups.as_array().into_iter().flatten().enumerate() {
        for (index, hook) in group["hooks"].as_array().into_iter().flatten().enumerate() {
            if is_ours(hook) {
                let group = Step::Index(group_index);
                ours.push(vec![key("hooks"), key(event), group, key("hooks"), Step::Index(index)]);
            }
        }
    }
    ours
}

fn is_ours(hook: &Value) -> bool {
    let words = [&hook["command"]].into_iter().chain(hook["args"].as_array().into_iter().flatten());
    let line = words.filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    line.contains("cpvo-hook session-") || line.contains("cpvo-bootstrap.sh")
}

/// The group of a hook that is alone in it: a group without hooks would void the whole file.
fn whole_group(document: &Document, mut path: Vec<Step>) -> Vec<Step> {
    let alone =
        document.value(&path[..4]).is_some_and(|hooks| hooks.as_array().is_some_and(|all| all.len() == 1));
    if alone {
        path.truncate(3);
    }
    path
}

/// Refuses what Claude Code would not read, where we would have to write.
fn check_shape(document: &Document) -> Result<()> {
    let object: fn(&Value) -> bool = Value::is_object;
    let array: fn(&Value) -> bool = Value::is_array;
    let places = [
        (vec![], object),
        (vec!["env"], object),
        (vec!["hooks"], object),
        (vec!["hooks", "SessionStart"], array),
        (vec!["hooks", "SessionEnd"], array),
    ];
    for (place, right) in places {
        let path: Vec<Step> = place.iter().map(|name| key(name)).collect();
        let Some(value) = document.value(&path).filter(|value| !right(value)) else { continue };
        let (line, column) = document.position(&path);
        let name = if place.is_empty() { "the settings".to_owned() } else { place.join(".") };
        let expected = if place.len() == 2 { "an array" } else { "an object" };
        bail!("{name} must be {expected}, not {} (line {line} column {column})", kind(&value));
    }
    Ok(())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn key(name: &str) -> Step {
    Step::Key(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wanted() -> Wanted {
        Wanted {
            url: Some("https://cpvo.acme.example".into()),
            token: Some("what `cpvo token issue` prints".into()),
            developers: Some("@acme.example".into()),
            since: Some("2026-01-01".into()),
            bootstrap: false,
        }
    }

    /// A blank file goes: the client would take it for broken settings.
    fn unless_blank(settings: &str) -> Option<&str> {
        Some(settings).filter(|text| !text.trim_start_matches('\u{feff}').trim().is_empty())
    }

    /// Adds, and checks what must hold of every file: adding again changes nothing, removing restores it.
    #[track_caller]
    fn added(settings: &str) -> String {
        let after = add(Some(settings), &wanted()).unwrap();
        assert_eq!(add(Some(&after), &wanted()).unwrap(), after, "a second run changed the file");
        assert_eq!(remove(&after).unwrap().as_deref(), unless_blank(settings), "removed from:\n{after}");
        after
    }

    #[track_caller]
    fn refused(settings: &str, reason: &str) {
        let error = format!("{:#}", add(Some(settings), &wanted()).unwrap_err());
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn without_a_file_the_shipped_one_is_written() {
        let created = add(None, &wanted()).unwrap();
        assert_eq!(created, SHIPPED);
        assert_eq!(remove(&created).unwrap(), None);
    }

    #[test]
    fn what_is_shipped_bounds_both_hooks_and_sets_the_four_variables() {
        let shipped: Value = serde_json::from_str(SHIPPED).unwrap();
        let names: Vec<_> = shipped["env"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, wanted().env().map(|(name, _)| name));
        let events: Vec<_> = shipped["hooks"].as_object().unwrap().keys().collect();
        assert_eq!(events, ["SessionStart", "SessionEnd"]);
        assert_eq!(shipped["hooks"]["SessionEnd"][0]["hooks"][0]["timeout"], 15);
        assert!(wanted().hooks("SessionStart").iter().chain(&wanted().hooks("SessionEnd")).all(is_ours));
    }

    #[test]
    fn the_layout_of_the_file_is_kept() {
        let after = added("{\n    \"model\": \"opus\",\n    \"env\": {\n        \"A\": \"1\"\n    }\n}");
        assert!(after.starts_with(
            "{\n    \"model\": \"opus\",\n    \"env\": {\n        \"A\": \"1\",\n        \"CPVO_URL\""
        ));
        assert!(after.contains("\n    \"hooks\": {\n        \"SessionStart\": [\n            {\n"));
        assert!(added("{\n\t\"model\": \"opus\"\n}\n").contains("\n\t\"env\": {\n\t\t\"CPVO_URL\""));
        let crlf = added("{\r\n  \"model\": \"opus\"\r\n}\r\n");
        assert_eq!(crlf.matches('\n').count(), crlf.matches("\r\n").count());
        assert!(added("\u{feff}{ \"a\": 1 }").starts_with("\u{feff}{ \"a\": 1,\n"));
    }

    #[test]
    fn every_form_of_an_empty_file_comes_back() {
        for settings in ["", "\n", " \r\n", "\u{feff}", "{}", "{}\n", "{ }", "{\n}\n", "{\r\n}", "\n{}\n"] {
            added(settings);
        }
        for settings in [
            r#"{"env":{}}"#,
            r#"{"hooks":{}}"#,
            r#"{"env":{},"hooks":{}}"#,
            r#"{"hooks":{ },"env":{ }}"#,
            r#"{"hooks":{"SessionStart":[],"SessionEnd":[ ]}}"#,
            "{\n  \"hooks\": {\n    \"SessionEnd\": [\n    ]\n  }\n}\n",
        ] {
            added(settings);
        }
    }

    #[test]
    fn hooks_of_others_stay() {
        let theirs = r#"{"hooks":{"SessionStart":[{"matcher":"startup","hooks":[{"type":"command","command":"make"}]}],"Stop":[]}}"#;
        let after: Value = serde_json::from_str(&added(theirs)).unwrap();
        assert_eq!(after["hooks"]["SessionStart"][0]["hooks"][0]["command"], "make");
        assert_eq!(after["hooks"]["SessionStart"][1]["hooks"][0], wanted().hooks("SessionStart")[0]);
        assert_eq!(after["hooks"]["Stop"], json!([]));
    }

    #[test]
    fn older_forms_of_ours_are_replaced() {
        let older = json!({
            "env": {"CPVO_URL": "http://old", "MINE": "1"},
            "hooks": {
                "SessionStart": [{"hooks": [{"type": "command", "command": "make"}, {"type": "command", "command": "cpvo-hook session-start"}]}],
                "SessionEnd": [
                    {"hooks": [{"type": "command", "command": "cpvo-hook", "args": ["session-end"]}]},
                    {"matcher": "", "hooks": [{"type": "command", "command": "cpvo-hook session-end || true"}]},
                ],
                "Stop": [{"hooks": [{"type": "command", "command": "cpvo-hook session-end"}]}],
            },
        });
        let after = add(Some(&older.to_string()), &wanted()).unwrap();
        assert_eq!(add(Some(&after), &wanted()).unwrap(), after);
        let after: Value = serde_json::from_str(&after).unwrap();
        let start = &wanted().hooks("SessionStart")[0];
        assert_eq!(
            after["hooks"]["SessionStart"],
            json!([{"hooks": [older["hooks"]["SessionStart"][0]["hooks"][0], start]}])
        );
        assert_eq!(after["hooks"]["SessionEnd"], json!([{"hooks": wanted().hooks("SessionEnd")}]));
        assert_eq!(after["hooks"].get("Stop"), None);
        assert_eq!(after["env"]["CPVO_URL"], "https://cpvo.acme.example");
        let removed: Value = serde_json::from_str(&remove(&older.to_string()).unwrap().unwrap()).unwrap();
        assert_eq!(removed["env"], json!({"MINE": "1"}));
        assert_eq!(
            removed["hooks"],
            json!({"SessionStart": [{"hooks": [{"type": "command", "command": "make"}]}]})
        );
    }

    #[test]
    fn a_new_address_changes_that_line_alone() {
        let before = add(Some("{\n  \"a\": 1\n}\n"), &wanted()).unwrap();
        let moved = Wanted { url: Some("https://new.acme.example".into()), ..Wanted::default() };
        let after = add(Some(&before), &moved).unwrap();
        assert_eq!(after, before.replace("https://cpvo.acme.example", "https://new.acme.example"));
        assert_eq!(variable(&after, "CPVO_URL").unwrap().as_deref(), Some("https://new.acme.example"));
    }

    #[test]
    fn the_bootstrap_comes_and_goes() {
        let plain = add(Some("{}"), &wanted()).unwrap();
        let with = add(Some(&plain), &Wanted { bootstrap: true, ..wanted() }).unwrap();
        assert!(with.contains(".claude/cpvo-bootstrap.sh"));
        assert_eq!(add(Some(&with), &wanted()).unwrap(), plain);
        assert_eq!(remove(&with).unwrap().as_deref(), Some("{}"));
    }

    #[test]
    fn what_is_not_right_is_refused_by_its_place() {
        refused("{\n  \"a\": 1,\n}", "line 3 column 1");
        refused("{\n  // mine\n  \"a\": 1\n}", "line 2 column 3 (comments are not JSON)");
        refused("{\"a\": 1}}", "trailing characters at line 1 column 9");
        refused("{\"a\": 1", "line 1");
        refused(
            "{\n \"env\": {\"A\": \"1\",\n  \"\\u0041\": \"2\"}}",
            "\"A\" appears twice in one object, again at line 3 column 3",
        );
        refused("[]", "the settings must be an object, not an array (line 1 column 1)");
        refused("{\n  \"hooks\": 5}", "hooks must be an object, not a number (line 2 column 12)");
        refused(r#"{"env": "A=1"}"#, "env must be an object, not a string");
        refused(r#"{"hooks": {"SessionEnd": {}}}"#, "hooks.SessionEnd must be an array, not an object");
        refused(&"[".repeat(100_000), "recursion limit");
    }

    fn space() -> impl Strategy<Value = &'static str> + Clone {
        prop::sample::select(vec!["", "", " ", "\n", "\n  ", "\n\t", "\r\n    ", "\n\n"])
    }

    fn list(open: char, close: char, item: BoxedStrategy<String>) -> BoxedStrategy<String> {
        let items = prop::collection::vec((space(), item, space()), 0..4);
        let numbered = (items, space()).prop_map(move |(items, blank)| {
            let number = |(index, (before, item, after)): (usize, &(&str, String, &str))| {
                format!("{before}{}{after}", item.replace('#', &index.to_string()))
            };
            let inside = items.iter().enumerate().map(number).collect::<Vec<_>>().join(",");
            format!("{open}{}{close}", if items.is_empty() { blank.to_owned() } else { inside })
        });
        numbered.boxed()
    }

    /// Members are named apart by a number that [`list`] gives; nested ones got theirs before.
    fn member(value: BoxedStrategy<String>) -> BoxedStrategy<String> {
        (space(), space(), value).prop_map(|(a, b, value)| format!("\"k#\"{a}:{b}{value}")).boxed()
    }

    fn any_value() -> BoxedStrategy<String> {
        let leaf = prop::sample::select(vec![
            "1",
            "-2.5e3",
            "true",
            "null",
            "\"\"",
            r#""é \\\" ] } , :""#,
            "[]",
            "{}",
        ]);
        leaf.prop_map(str::to_owned)
            .prop_recursive(3, 12, 3, |inner| {
                prop_oneof![list('[', ']', inner.clone().boxed()), list('{', '}', member(inner.boxed()))]
            })
            .boxed()
    }

    fn named(name: &'static str, value: BoxedStrategy<String>) -> BoxedStrategy<String> {
        (space(), space(), value).prop_map(move |(a, b, value)| format!("\"{name}\"{a}:{b}{value}")).boxed()
    }

    /// Objects of some of `members`, in any order and layout.
    fn object(members: Vec<BoxedStrategy<String>>) -> BoxedStrategy<String> {
        let count = members.len();
        let order = prop::sample::subsequence((0..count).collect::<Vec<_>>(), 0..=count).prop_shuffle();
        (members, order, prop::collection::vec((space(), space()), count), space())
            .prop_map(|(members, order, spaces, blank)| {
                let place =
                    |index: &usize| format!("{}{}{}", spaces[*index].0, members[*index], spaces[*index].1);
                let inside = order.iter().map(place).collect::<Vec<_>>().join(",");
                format!("{{{}}}", if order.is_empty() { blank.to_owned() } else { inside })
            })
            .boxed()
    }

    fn any_settings() -> BoxedStrategy<String> {
        let groups = || list('[', ']', any_value());
        let hooks =
            vec![named("SessionStart", groups()), named("Stop", groups()), named("SessionEnd", groups())];
        let env = list('{', '}', member(any_value()));
        let members = vec![
            named("env", env),
            named("hooks", object(hooks)),
            named("model", any_value()),
            named("permissions", any_value()),
        ];
        (space(), object(members), space())
            .prop_map(|(before, object, after)| format!("{before}{object}{after}"))
            .boxed()
    }

    fn any_wanted() -> impl Strategy<Value = Wanted> {
        let text = || prop::option::of("[a-z]{1,3}");
        let fields = (text(), text(), text(), text(), any::<bool>());
        fields.prop_map(|(url, token, developers, since, bootstrap)| Wanted {
            url,
            token,
            developers,
            since,
            bootstrap,
        })
    }

    proptest! {
        #[test]
        fn adding_then_removing_is_nothing(settings in any_settings(), bootstrap: bool) {
            let wanted = Wanted { bootstrap, ..wanted() };
            let after = add(Some(&settings), &wanted).unwrap();
            prop_assert_eq!(&add(Some(&after), &wanted).unwrap(), &after);
            let removed = remove(&after).unwrap();
            prop_assert_eq!(removed.as_deref(), Some(settings.as_str()));
            prop_assert_eq!(remove(&settings).unwrap(), Some(settings));
        }

        #[test]
        fn however_it_came_about_it_is_taken_out(settings in any_settings(), steps in prop::collection::vec(any_wanted(), 1..4)) {
            let after = steps.iter().fold(settings.clone(), |text, wanted| add(Some(&text), wanted).unwrap());
            prop_assert_eq!(remove(&after).unwrap(), Some(settings));
        }

        #[test]
        fn the_rest_keeps_its_meaning(settings in any_settings()) {
            let before: Value = serde_json::from_str(&settings).unwrap();
            let mut after: Value = serde_json::from_str(&add(Some(&settings), &wanted()).unwrap()).unwrap();
            for (name, _) in wanted().env() {
                prop_assert!(after["env"].as_object_mut().unwrap().shift_remove(name).is_some());
            }
            for event in ["SessionStart", "SessionEnd"] {
                let group = after["hooks"][event].as_array_mut().unwrap().pop().unwrap();
                prop_assert_eq!(group, json!({ "hooks": wanted().hooks(event) }));
                if before["hooks"].get(event).is_none() {
                    after["hooks"].as_object_mut().unwrap().shift_remove(event);
                }
            }
            for container in ["env", "hooks"] {
                if before.get(container).is_none() {
                    after.as_object_mut().unwrap().shift_remove(container);
                }
            }
            prop_assert_eq!(after.to_string(), before.to_string());
        }

        #[test]
        fn any_text_is_refused_or_comes_back(text in "[{}\\[\\]\",:a1 \n\\\\]{0,24}") {
            if let Ok(after) = add(Some(&text), &wanted()) {
                let removed = remove(&after).unwrap();
                prop_assert_eq!(removed.as_deref(), unless_blank(&text));
            }
        }
    }
}
