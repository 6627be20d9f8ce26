//! A host that is slow, out of reach, or asks to be asked later.

use super::*;

#[test]
fn less_is_asked_for_where_it_was_too_much() {
    let host = forty();
    let service = service(&host, "");
    let slow = json!({"data": null, "errors": [{"message":
        "Something went wrong while executing your query. This may be the result of a timeout."}]});
    on_both(|db| {
        let before = host.queries().len();
        let broken = Some(Reply::Status(502, vec![], "<html>".to_owned()));
        host.host().fail([None, broken, Some(Reply::Json(slow.clone()))]);
        assert_eq!(syncs(db, &service).requests, 40);
        let sizes: Vec<_> =
            host.queries()[before..].iter().filter(|it| it.starts_with("Req")).cloned().collect();
        assert_eq!(sizes[..3], ["Requests 25", "Requests 12", "Requests 6"]);
        assert_eq!(sizes.len(), 2 + 7);
        let late = Some(Reply::Status(504, vec![], String::new()));
        host.host().fail([None].into_iter().chain(vec![late; 7]));
        let error = format!("{:#}", sync_with(db, &service, false).unwrap_err());
        assert!(error.contains("even the smallest page is too much for it: it answers 504"), "{error}");
    });
}

#[test]
fn an_answer_that_does_not_come_is_too_much() {
    let host = forty();
    let service = service(&host, "");
    on_both(|db| {
        host.host().fail([None, Some(Reply::Silent)]);
        let before = host.queries().len();
        let pace = Pace { now, answer_max: Duration::from_secs(2), until: None, wait: &|_| Ok(()) };
        assert_eq!(import::<GitHub>(db, &service, false, pace).unwrap().requests, 40);
        assert_eq!(host.queries()[before + 1..][..2], ["Requests 25", "Requests 12"]);
    });
}

#[test]
fn who_does_not_answer_twice_cannot_be_reached() {
    let host = forty();
    let service = service(&host, "");
    on_both(|db| {
        host.host().fail(vec![Some(Reply::Silent); 2]);
        let before = host.queries().len();
        let pace = Pace { now, answer_max: Duration::from_secs(1), until: None, wait: &|_| Ok(()) };
        let error = import::<GitHub>(db, &service, false, pace).unwrap_err();
        assert!(error.is::<Unreachable>(), "{error:#}");
        assert!(host.queries().len() <= before + 2);
    });
}

#[test]
fn who_answered_once_is_slow_and_can_be_reached() {
    let host = forty();
    let service = service(&host, "");
    on_both(|db| {
        host.host().fail([None, Some(Reply::Silent), Some(Reply::Silent)]);
        let before = host.queries().len();
        let pace = Pace { now, answer_max: Duration::from_secs(2), until: None, wait: &|_| Ok(()) };
        assert_eq!(import::<GitHub>(db, &service, false, pace).unwrap().requests, 40);
        let asked = ["Branch 0", "Requests 25", "Requests 12", "Requests 6"];
        assert_eq!(host.queries()[before..][..4], asked, "the small question comes first");
    });
}

#[test]
fn nobody_is_asked_twice_where_nobody_answers() {
    let host = forty();
    let nowhere = "http://127.0.0.1:1/api/v4";
    let gitlab = |name: &str| {
        let text = format!("kind = 'gitlab'\nrepo = 'git.x/acme/{name}'\nurl = '{nowhere}'");
        let mut source: Source = toml::from_str(&text).unwrap();
        source.settle(Path::new(""), &|_| Some(TOKEN.to_owned())).unwrap();
        source
    };
    let sources = [gitlab("one"), gitlab("two"), Source::Github(service(&host, ""))];
    on_both(|db| {
        let mut round = Round::new(&sources);
        let pace = Pace { now, answer_max: ANSWER_MAX, until: None, wait: &|_| Ok(()) };
        let mut told = |place: usize| match round.read(db, &sources[place], pace) {
            Ok(synced) => synced.to_string(),
            Err(error) => format!("{error:#}"),
        };
        let first = told(0);
        assert!(first.starts_with("git.x/acme/one on gitlab: it cannot be reached: "), "{first}");
        assert_eq!(told(1), format!("git.x/acme/two on gitlab: {nowhere} could not be reached just now"));
        let healthy = told(2);
        assert!(healthy.starts_with("github.com/acme/pay (github): 40 requests"), "{healthy}");
    });
}

#[test]
fn a_turn_ends_and_keeps_what_was_read() {
    let host = forty();
    let service = service(&host, "");
    let over = |db: &mut Db, seconds: i64| {
        let until = now().checked_add(SignedDuration::from_secs(seconds)).ok();
        let pace = Pace { now, answer_max: ANSWER_MAX, until, wait: &|_| Ok(()) };
        import::<GitHub>(db, &service, false, pace).map_err(|error| format!("{error:#}"))
    };
    let limited = || Some(Reply::Status(429, vec![("retry-after", "7".to_owned())], String::new()));
    on_both(|db| {
        host.host().fail([None, None, limited()]);
        let error = over(db, 6).unwrap_err();
        assert!(error.contains("its turn is over"), "{error}");
        assert_eq!(rows(db, "SELECT COUNT(*) FROM pull_request"), ["25"]);
        let before = host.queries().len();
        over(db, -1).unwrap_err();
        assert_eq!(host.queries().len(), before, "it is not even asked");
        host.host().fail([limited()]);
        assert_eq!(over(db, 7).unwrap().requests, 15);
    });
}

#[test]
fn what_was_answered_is_kept_where_no_more_may_be_asked() {
    let host = forty();
    let service = service(&host, "");
    host.state().rate = Some((199, "2026-11-25T12:01:30Z".to_owned()));
    let tip = json!({"nameWithOwner": "acme/pay", "defaultBranchRef": {"name": "main", "target": {"oid": sha(40)}}});
    on_both(|db| {
        host.host().fail([Some(Reply::Json(json!({"data": {"repository": tip}})))]);
        let until = "2026-11-25T12:01:00Z".parse().ok();
        let pace = Pace { now, answer_max: ANSWER_MAX, until, wait: &|_| Ok(()) };
        let error = format!("{:#}", import::<GitHub>(db, &service, false, pace).unwrap_err());
        assert!(error.contains("its turn is over"), "{error}");
        assert_eq!(rows(db, "SELECT COUNT(*) FROM pull_request"), ["25"]);
    });
}

#[test]
fn tickets_that_are_too_many_for_a_turn_are_asked_for_in_the_next_one() {
    let host = StandIn::start("acme/pay");
    squash(&host, 1, "Add x", "2026-11-20T12:00:00Z");
    let service = service(&host, "");
    let later = || "2026-11-26T12:00:00Z".parse().unwrap();
    on_both(|db| {
        syncs(db, &service);
        let ids: Vec<String> = (0..250).map(|number| format!("I_{number:03}")).collect();
        for id in &ids {
            let text = format!(
                "INSERT INTO ticket (ticket, service, id) VALUES ('{id}', 'github', '{id}');
                 INSERT INTO pull_request_ticket (repo, number, ticket) VALUES ('github.com/acme/pay', 1, '{id}')"
            );
            db.batch(&text).unwrap();
        }
        host.state().requests[0]["updatedAt"] = json!("2026-11-20T11:00:00Z"); // read before
        let asked = |from: usize| -> Vec<Value> {
            let ids = |asked: &Asked| asked.body["variables"]["ids"].clone();
            host.host().asked()[from..].iter().map(ids).filter(|ids| !ids.is_null()).collect()
        };
        let known = "SELECT synced_at FROM service";
        let turn = |db: &mut Db, now| {
            let before = host.host().asked().len();
            let pace = Pace { now, answer_max: ANSWER_MAX, until: None, wait: &|_| Ok(()) };
            (import::<GitHub>(db, &service, false, pace), asked(before))
        };
        db.batch("UPDATE service SET synced_at = '2026-11-24T12:00:00Z'").unwrap();
        // requests, branch, history and the first of the tickets
        host.host().fail(vec![None; 4].into_iter().chain([Some(Reply::Status(401, vec![], String::new()))]));
        turn(db, now).0.unwrap_err();
        assert_eq!(rows(db, known), ["2026-11-24T12:00:00Z"]);
        assert_eq!(turn(db, later).1, [json!(ids[100..200]), json!(ids[200..])]);
        assert_eq!(rows(db, known), [now().to_string()], "as old as the first of them");
        assert_eq!(turn(db, later).1, [json!(ids[..100]), json!(ids[100..200]), json!(ids[200..])]);
        assert_eq!(rows(db, known), [later().to_string()]);
        host.state().requests[0]["updatedAt"] = json!("2026-11-20T12:00:00Z");
    });
}

#[test]
fn a_host_that_asks_for_patience_gets_it() {
    let host = forty();
    let service = service(&host, "");
    let status = |status, name, value: &str| {
        Some(Reply::Status(status, vec![(name, value.to_owned())], String::new()))
    };
    let reset = (now().as_second() + 30).to_string();
    let spent = vec![("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", reset)];
    let limited = json!({"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]});
    on_both(|db| {
        host.host().fail([
            status(403, "retry-after", "7"),
            status(429, "retry-after", "8"),
            Some(Reply::Status(403, spent.clone(), String::new())),
            Some(Reply::Json(limited.clone())),
        ]);
        let (imported, waits) = sync_with(db, &service, false).unwrap();
        assert_eq!((imported.requests, waits), (40, vec![7, 8, 31, 60]));
        host.state().rate = Some((199, "2026-11-25T12:01:30Z".to_owned()));
        assert_eq!(sync_with(db, &service, false).unwrap().1, [91, 91], "before each but the first");
        host.state().rate = Some((200, "2026-11-25T12:01:30Z".to_owned()));
        assert!(sync_with(db, &service, false).unwrap().1.is_empty());
        host.host().fail(vec![status(429, "retry-after", "7200"); 5]);
        let error = format!("{:#}", sync_with(db, &service, false).unwrap_err());
        assert!(error.contains("asks to wait again and again"), "{error}");
    });
}
