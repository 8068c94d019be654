//! The description against the routes: each operation is there, refuses what it does not describe, and names only schemas that it has.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::support::Door;

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, inner)| match inner {
            Value::String(target) if name == "$ref" => drop(found.insert(target.clone())),
            inner => references(inner, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_operation_is_there_and_described() {
    let door = Door::new();
    let document = door.done("GET", "/openapi.json", Value::Null).await;
    assert_eq!(document["openapi"], json!("3.1.0"));
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for target in &found {
        let there = document.pointer(target.trim_start_matches('#'));
        assert!(there.is_some_and(Value::is_object), "{target}");
    }
    let mut operations = 0;
    for (path, verbs) in document["paths"].as_object().expect("paths") {
        for (verb, operation) in verbs.as_object().expect("operations") {
            operations += 1;
            let uri = path.replace("{room}", "NO-ROOM").replace("{member}", "1");
            let body = if operation["requestBody"].is_object() { json!({ "surplus": 1 }) } else { Value::Null };
            let (status, answer) = door.ask(&verb.to_uppercase(), &uri, body.clone()).await;
            let name = format!("{verb} {path}: {status} {answer}");
            assert!(operation["responses"][status.as_str()].is_object(), "{name}");
            assert!(
                status != StatusCode::METHOD_NOT_ALLOWED && (status.is_success() || answer["code"].is_string()),
                "{name}"
            );
            if body.is_object() {
                assert_eq!((status, &answer["code"]), (StatusCode::BAD_REQUEST, &json!("bad_field")), "{name}");
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(
                    parameter["description"].is_string() && parameter["schema"]["type"].is_string(),
                    "{name}: {parameter}"
                );
            }
        }
    }
    assert_eq!(operations, 31, "twenty-eight of JSON, and three of text");
}

#[tokio::test]
async fn what_is_answered_has_the_fields_that_are_described() {
    let door = Door::new();
    let _ann = door.create("LUNCH", "Ann").await;
    let _bob = door.join("LUNCH", "Bob", None, "hi").await;
    door.done("POST", "/rooms/LUNCH/ban", json!({ "member": 2 })).await;
    let document = door.done("GET", "/openapi.json", Value::Null).await;
    for (path, uri) in [
        ("/rooms", "/rooms"),
        ("/rooms/{room}", "/rooms/LUNCH"),
        ("/rooms/{room}/members", "/rooms/LUNCH/members"),
        ("/rooms/{room}/messages", "/rooms/LUNCH/messages"),
        ("/rooms/{room}/bans", "/rooms/LUNCH/bans"),
        ("/sessions", "/sessions?identity=nobody"),
        ("/status", "/status"),
    ] {
        let answer = door.done("GET", uri, Value::Null).await;
        let schema = &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        compare(&document, schema, &answer, path);
    }
}

/// Every field is described, and those that have to be there are.
fn compare(document: &Value, schema: &Value, value: &Value, place: &str) {
    let target = schema["$ref"].as_str().or_else(|| {
        // One that may be absent.
        schema["anyOf"].as_array().into_iter().flatten().find_map(|one| one["$ref"].as_str())
    });
    let schema = target.and_then(|target| document.pointer(target.trim_start_matches('#'))).unwrap_or(schema);
    match value {
        Value::Object(fields) if schema["properties"].is_object() => {
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(fields.contains_key(required.as_str().expect("a name")), "{place}: {required}");
            }
            for (name, inner) in fields {
                assert!(schema["properties"][name].is_object(), "{place}: {name} is not described");
                compare(document, &schema["properties"][name], inner, &format!("{place} {name}"));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| compare(document, &schema["items"], item, place)),
        _ => {}
    }
}
