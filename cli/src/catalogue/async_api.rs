//! `AsyncAPI` 3.0: a channel for each category, a message for each version, a payload for each message.
//!
//! What commands emit is sent, what projections and reactions handle is received. Where channels are on which broker is not
//! known here: an address is the category, for whoever publishes the log to say more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::json_schema::{Definitions, Draft};
use super::markdown::plain;
use super::model::{Catalogue, Event, Home, Kind, Version};
use super::{WRITTEN_BY, about, version_name};

pub fn document(all: &Catalogue) -> Value {
    let mut names = Names::default();
    let mut schemas = Definitions::of(Draft::Seven, "#/components/schemas/");
    let (mut channels, mut messages) = (Map::new(), Map::new());
    for aggregate in &all.aggregates {
        let mut of_channel = Map::new();
        for (event, version, shape) in versions(&aggregate.events) {
            let name = version_name(event, version);
            let key = names.of("message", &name);
            schemas.add(&key, &name, shape, &about(version));
            messages.insert(key.clone(), message(event, version, &key));
            of_channel.insert(
                key.clone(),
                json!({ "$ref": format!("#/components/messages/{key}") }),
            );
        }
        let mut channel = json!({
            "address": aggregate.category,
            "title": aggregate.ident,
            "messages": of_channel,
        });
        describe(&mut channel, &aggregate.docs);
        channels.insert(names.of("channel", &aggregate.category), channel);
    }
    let operations = operations(all, &mut names);
    let version = match all.packages.as_slice() {
        [package] => package.version.as_str(),
        // Packages of a workspace need not have one version.
        _ => "0.0.0",
    };
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": format!("Events of {}", all.title()),
            "version": version,
            "description": WRITTEN_BY,
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages, "schemas": schemas.into_map() },
    })
}

fn versions(
    events: &[Event],
) -> impl Iterator<Item = (&Event, &Version, &'static recount_schema::Shape)> {
    events.iter().flat_map(|event| {
        let versions = event.versions.iter();
        versions.filter_map(move |version| Some((event, version, version.shape?)))
    })
}

fn message(event: &Event, version: &Version, key: &str) -> Value {
    let mut message = json!({
        "name": event.name,
        "title": format!("{} v{}", event.full_name(), version.number),
        "contentType": "application/json",
        "payload": { "$ref": format!("#/components/schemas/{key}") },
        "x-version": version.number,
    });
    if let Some((status, since)) = &version.locked {
        message["x-status"] = status.as_str().into();
        if let Some(since) = since {
            message["x-since"] = since.as_str().into();
        }
    }
    describe(&mut message, &version.docs);
    message
}

fn operations(all: &Catalogue, names: &mut Names) -> Map<String, Value> {
    let mut operations = Map::new();
    for aggregate in &all.aggregates {
        let channel = names.of("channel", &aggregate.category);
        for command in &aggregate.commands {
            let events: Vec<_> = command
                .emits
                .iter()
                .filter_map(|(name, _)| aggregate.events.iter().find(|event| event.name == *name))
                .collect();
            let mut operation = json!({ "action": "send", "title": command.name });
            describe(&mut operation, &command.docs);
            on_channel(&mut operation, &channel, &events, names);
            let key = names.of("send", &format!("{}.{}", aggregate.category, command.name));
            operations.insert(key, operation);
        }
        for follower in &all.followers {
            let events = aggregate.events.iter();
            let handled = |event: &&Event| follower.handles.iter().any(|one| event.is_in(one));
            let events: Vec<_> = events.filter(handled).collect();
            if events.is_empty() {
                continue;
            }
            let what = match (follower.kind, follower.home) {
                (Kind::Reaction, _) | (_, Home::Outside) => "acts outside",
                (_, Home::State) => "a state for reading",
                (_, Home::Tables) => "tables for reading",
            };
            let mut operation = json!({
                "action": "receive", "title": follower.name, "summary": what,
            });
            describe(&mut operation, &follower.docs);
            on_channel(&mut operation, &channel, &events, names);
            let name = format!("{}.{}", follower.name, aggregate.category);
            operations.insert(names.of("receive", &name), operation);
        }
    }
    operations
}

/// The newest versions of events: what is written, and what is handled after conversions.
fn on_channel(operation: &mut Value, channel: &str, events: &[&Event], names: &mut Names) {
    operation["channel"] = json!({ "$ref": format!("#/channels/{channel}") });
    let messages = events.iter().filter_map(|event| {
        let version = event.newest().filter(|version| version.shape.is_some())?;
        let key = names.of("message", &version_name(event, version));
        Some(json!({ "$ref": format!("#/channels/{channel}/messages/{key}") }))
    });
    operation["messages"] = messages.collect();
}

fn describe(value: &mut Value, docs: &str) {
    if !docs.is_empty() {
        value["description"] = plain(docs).into();
    }
}

/// Keys are of letters, digits, `.`, `-` and `_`; names need not be.
#[derive(Default)]
struct Names {
    keys: BTreeMap<(&'static str, String), String>,
    taken: BTreeSet<(&'static str, String)>,
}

impl Names {
    fn of(&mut self, kind: &'static str, name: &str) -> String {
        if let Some(key) = self.keys.get(&(kind, name.to_owned())) {
            return key.clone();
        }
        let plain = |c: char| match c {
            c if c.is_ascii_alphanumeric() || ".-_".contains(c) => c,
            _ => '_',
        };
        // Both kinds of operations stand in one object.
        let of = match kind {
            "send" | "receive" => "operation",
            other => other,
        };
        let base: String = name.chars().map(plain).collect();
        let mut key = base.clone();
        let mut next = 2;
        while !self.taken.insert((of, key.clone())) {
            key = format!("{base}_{next}");
            next += 1;
        }
        self.keys.insert((kind, name.to_owned()), key.clone());
        key
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn names_become_keys_that_stay_apart() {
        let mut names = Names::default();
        assert_eq!(names.of("message", "a.Put off.v1"), "a.Put_off.v1");
        assert_eq!(names.of("message", "a.Put-off.v1"), "a.Put-off.v1");
        assert_eq!(names.of("message", "a.Put/off.v1"), "a.Put_off.v1_2");
        assert_eq!(names.of("message", "a.Put off.v1"), "a.Put_off.v1");
        assert_eq!(names.of("send", "a.b"), "a.b");
        assert_eq!(names.of("receive", "a.b"), "a.b_2");
    }
}
