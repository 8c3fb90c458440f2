//! Diagrams: commands -> events -> aggregates, projections and reactions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::model::{Aggregate, Catalogue, Kind};
use super::source::How;

/// Of all, or of one aggregate with those that handle its events.
pub fn flowchart(all: &Catalogue, only: Option<&Aggregate>) -> String {
    let mut chart = Chart::default();
    let shown = all
        .aggregates
        .iter()
        .filter(|one| only.is_none_or(|only| only.category == one.category));
    for aggregate in shown {
        chart.aggregate(aggregate);
        for follower in &all.followers {
            let ours = follower.handles.iter();
            let ours = ours.filter(|handled| handled.category == aggregate.category);
            for handled in ours {
                let known = aggregate.events.iter().any(|event| event.is_in(handled));
                if known {
                    let (class, open, close) = match follower.kind {
                        Kind::Projection => ("projection", "[(", ")]"),
                        Kind::Reaction => ("reaction", "{{", "}}"),
                    };
                    let to = chart.node(class, &follower.name, &follower.name, (open, close));
                    let from = chart.id("event", &key(&handled.category, &handled.event));
                    chart.link(&from, "-->", &to);
                }
            }
        }
    }
    chart.into_text()
}

#[derive(Default)]
struct Chart {
    /// The ids of nodes, by class and name.
    ids: BTreeMap<(&'static str, String), String>,
    taken: BTreeSet<String>,
    groups: String,
    nodes: String,
    /// In order, each once.
    links: Vec<String>,
    classes: BTreeSet<&'static str>,
}

/// Commands blue, events orange, what holds rules yellow, what is read green, what acts violet: as on the walls where domains
/// are found out.
const COLORS: &[(&str, &str)] = &[
    ("aggregate", "fill:#fff3a3,stroke:#b59b00,color:#000"),
    ("command", "fill:#a6d8ff,stroke:#2b7bb9,color:#000"),
    ("event", "fill:#ffc37a,stroke:#c46f00,color:#000"),
    ("projection", "fill:#b9e6b0,stroke:#3f8f3a,color:#000"),
    ("reaction", "fill:#dcc3f5,stroke:#7d4bb3,color:#000"),
];

impl Chart {
    fn aggregate(&mut self, aggregate: &Aggregate) {
        let category = aggregate.category.as_str();
        let nodes = std::mem::take(&mut self.nodes);
        let this = self.node("aggregate", category, &aggregate.ident, ("[", "]"));
        for event in &aggregate.events {
            let mut label = event.name.clone();
            if let Some(version) = event.newest().filter(|version| version.number > 1) {
                // Writing into a `String` does not fail.
                let _ = write!(label, " v{}", version.number);
            }
            let at = self.node("event", &key(category, &event.name), &label, (">", "]"));
            if event.is_retired || !event.becomes.is_empty() {
                continue;
            }
            self.link(&at, "-->", &this);
        }
        for command in &aggregate.commands {
            let name = key(category, &command.name);
            let from = self.node("command", &name, &command.name, ("([", "])"));
            for (event, how) in &command.emits {
                let to = self.id("event", &key(category, event));
                let arrow = match how {
                    How::One | How::Several => "-->",
                    How::Perhaps => "-.->",
                };
                self.link(&from, arrow, &to);
            }
        }
        let own = std::mem::replace(&mut self.nodes, nodes);
        let id = self.id("stream", category);
        let title = label(category);
        let _ = write!(
            self.groups,
            "    subgraph {id}[\"{title}\"]\n{}    end\n",
            own.lines()
                .fold(String::new(), |text, line| text + "    " + line + "\n")
        );
    }

    /// The id of a node, which is made if it is not there.
    fn node(
        &mut self,
        class: &'static str,
        name: &str,
        text: &str,
        (open, close): (&str, &str),
    ) -> String {
        let is_new = !self.ids.contains_key(&(class, name.to_owned()));
        let id = self.id(class, name);
        if is_new {
            self.classes.insert(class);
            let text = label(text);
            let _ = writeln!(self.nodes, "    {id}{open}\"{text}\"{close}:::{class}");
        }
        id
    }

    /// Named after what it is, so that a diagram changes only where something has changed.
    fn id(&mut self, class: &'static str, name: &str) -> String {
        if let Some(id) = self.ids.get(&(class, name.to_owned())) {
            return id.clone();
        }
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let base: String = format!("{class}_{name}").chars().map(plain).collect();
        let mut id = base.clone();
        let mut next = 2;
        while !self.taken.insert(id.clone()) {
            id = format!("{base}_{next}");
            next += 1;
        }
        self.ids.insert((class, name.to_owned()), id.clone());
        id
    }

    fn link(&mut self, from: &str, arrow: &str, to: &str) {
        let link = format!("    {from} {arrow} {to}\n");
        if !self.links.contains(&link) {
            self.links.push(link);
        }
    }

    fn into_text(self) -> String {
        let mut text = format!(
            "```mermaid\nflowchart LR\n{}{}{}",
            self.groups,
            self.nodes,
            self.links.concat()
        );
        for (class, colors) in COLORS {
            if self.classes.contains(class) {
                let _ = writeln!(text, "    classDef {class} {colors}");
            }
        }
        text.push_str("```\n");
        text
    }
}

fn key(category: &str, name: &str) -> String {
    format!("{category}.{name}")
}

/// A text between quotation marks, where Mermaid has escapes of its own.
fn label(text: &str) -> String {
    let mut label = String::new();
    for c in text.chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | ';' | '`' => {
                let _ = write!(label, "#{};", u32::from(c));
            }
            c if c.is_control() => label.push(' '),
            c => label.push(c),
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::{Chart, label};

    #[test]
    fn labels_cannot_end_themselves() {
        assert_eq!(label("a \"b\" <c> #1;"), "a #34;b#34; #60;c#62; #35;1#59;");
    }

    #[test]
    fn ids_that_would_be_the_same_are_told_apart() {
        let mut chart = Chart::default();
        assert_eq!(chart.id("event", "a.b c"), "event_a_b_c");
        assert_eq!(chart.id("event", "a.b-c"), "event_a_b_c_2");
        assert_eq!(chart.id("event", "a.b c"), "event_a_b_c");
    }
}
