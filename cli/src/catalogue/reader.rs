//! The catalogue, put together: the answers of the code, the locks, and what only the source tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use recount_schema::Shape;
use serde::Deserialize;

use super::model::{
    Aggregate, Catalogue, Command, Event, Field, Follower, Handled, Home, Kind, Package, Read,
    Version,
};
use super::source::{Documented, FieldDocs, How, Method, Sources, canonical, same_name};
use crate::code::{self, Site, unusable};
use crate::judge::versions;
use crate::outcome::Result;
use crate::project::Project;

/// What the tests of the macros say, as far as only the catalogue asks for it.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Told {
    Event {
        #[serde(rename = "type")]
        type_name: String,
        name: String,
        version: u32,
        ident: String,
        upcast_from: Option<String>,
    },
    Projection(ToldFollower),
    Reaction(ToldFollower),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct ToldFollower {
    lock: PathBuf,
    ident: String,
    file: PathBuf,
    line: u32,
    name: String,
    home: Home,
    handled: Vec<ToldHandled>,
}

#[derive(Deserialize)]
struct ToldHandled {
    method: String,
    #[serde(rename = "type")]
    type_name: String,
    names: Vec<String>,
    of: Vec<String>,
}

impl Catalogue {
    pub fn of(
        project: &Project,
        sites: &[Site<'_>],
        is_wanted: &dyn Fn(&Site<'_>) -> bool,
    ) -> Result<Self> {
        let mut all = Self {
            packages: Vec::new(),
            names: Vec::new(),
            aggregates: Vec::new(),
            others: Vec::new(),
            followers: Vec::new(),
        };
        let mut sources = Sources::default();
        let mut asked = BTreeSet::new();
        for site in sites.iter().filter(|site| is_wanted(site)) {
            let package = site.package;
            all.names.push(name(site));
            if asked.insert(package.name.clone()) {
                package.roots().for_each(|root| sources.read(root));
                all.packages.push(Package {
                    name: package.name.clone(),
                    version: package.version.clone(),
                });
            }
        }
        let governed: Vec<_> = sites.iter().map(governed).collect();
        for site in sites.iter().filter(|site| is_wanted(site)) {
            let told = site.programs.ask("describe", &[])?;
            let reader = Reader {
                project,
                site,
                sources: &sources,
                told: &told,
                governed: &governed,
            };
            reader.read(&mut all)?;
        }
        all.names.sort();
        all.packages.sort_by(|a, b| a.name.cmp(&b.name));
        all.aggregates.sort_by(|a, b| a.category.cmp(&b.category));
        all.others.sort_by(|a, b| a.name.cmp(&b.name));
        all.followers
            .sort_by(|a, b| (a.kind, &a.name, &a.ident).cmp(&(b.kind, &b.name, &b.ident)));
        all.followers
            .dedup_by(|a, b| (a.kind, &a.name, &a.ident) == (b.kind, &b.name, &b.ident));
        Ok(all)
    }
}

/// A lock, and all that is known of what it governs.
struct Reader<'a> {
    project: &'a Project,
    site: &'a Site<'a>,
    sources: &'a Sources,
    told: &'a [Told],
    /// The folders that the locks of the project govern, this one's among them.
    governed: &'a [PathBuf],
}

/// The folder that a lock governs.
fn governed(site: &Site<'_>) -> PathBuf {
    let dir = site.lock.dir();
    canonical(dir.parent().unwrap_or(dir))
}

/// The name of the package, or of a folder within it that has a lock of its own.
fn name(site: &Site<'_>) -> String {
    let governed = governed(site);
    let folder = governed
        .file_name()
        .filter(|_| governed != canonical(site.package.dir()));
    folder.map_or_else(
        || site.package.name.clone(),
        |folder| folder.to_string_lossy().into_owned(),
    )
}

impl Reader<'_> {
    fn read(&self, all: &mut Catalogue) -> Result<()> {
        let mut events: BTreeMap<Option<String>, Vec<Event>> = BTreeMap::new();
        for ((category, name), numbers) in versions(self.site) {
            let event = self.event(category.clone(), name, &numbers)?;
            events.entry(category).or_default().push(event);
        }
        for aggregate in &self.site.aggregates {
            let category = aggregate.category.clone();
            let events = events.remove(&Some(category.clone())).unwrap_or_default();
            let found = self.find(&aggregate.ident, &aggregate.file, aggregate.line);
            all.aggregates.push(Aggregate {
                commands: self.commands(aggregate),
                docs: found.map_or_else(String::new, |of| of.docs.clone()),
                ident: aggregate.ident.clone(),
                category,
                events,
            });
        }
        all.others.extend(events.into_values().flatten());
        let followers = self.told.iter().filter_map(|told| match told {
            Told::Projection(of) => Some((Kind::Projection, of)),
            Told::Reaction(of) => Some((Kind::Reaction, of)),
            Told::Event { .. } | Told::Other => None,
        });
        let dir = canonical(self.site.lock.dir());
        let ours = followers.filter(|(_, of)| canonical(&of.lock) == dir);
        all.followers
            .extend(ours.map(|(kind, of)| self.follower(kind, of)));
        Ok(())
    }

    /// `file!()` is a path from the root of the workspace.
    fn find(&self, ident: &str, file: &Path, line: u32) -> Option<&Documented> {
        let file = self.project.workspace_root.join(file);
        self.sources.find(ident, &file, line)
    }

    fn event(&self, category: Option<String>, name: String, numbers: &[u32]) -> Result<Event> {
        let of = category.as_deref();
        let mut all = Vec::new();
        for number in numbers {
            all.push(self.version(of, &name, *number)?);
        }
        let mut aggregates = self.site.aggregates.iter();
        let aggregate = aggregates.find(|one| Some(one.category.as_str()) == of);
        let listed = aggregate.iter().flat_map(|one| &one.events);
        let readers = listed.filter(|one| one.names.contains(&name));
        let mut becomes: BTreeSet<_> = readers
            .flat_map(|one| self.names(&one.type_name, &one.names))
            .collect();
        if !becomes.remove(&name) && !becomes.is_empty() {
            // It was renamed, or split: its type, if there is one, is for reading only.
            let last = all
                .iter_mut()
                .filter(|one| matches!(one.read, Read::Newest | Read::Not));
            last.for_each(|one| one.read = Read::Other);
        }
        Ok(Event {
            is_retired: aggregate.is_some_and(|one| one.retired.contains(&name)),
            becomes: becomes.into_iter().collect(),
            versions: all,
            category,
            name,
        })
    }

    fn version(&self, category: Option<&str>, name: &str, number: u32) -> Result<Version> {
        let lock = &self.site.lock;
        let listed = lock.version(category, name, number);
        let event = self.site.event(category, name, number);
        let newest = self.site.newest(category, name);
        let contract = match event {
            Some(event) => Some(self.site.stored(event)),
            None => lock
                .contract(category, name, number)
                .map_err(|error| unusable(self.project, &error))?,
        };
        let read = match (event, newest) {
            (Some(event), Some(newest)) if event.version() == newest.version() => Read::Newest,
            (Some(event), _) => self.converted(event),
            (None, Some(newest)) if (newest.oldest..newest.version()).contains(&number) => {
                Read::Step
            }
            (None, _) => Read::Not,
        };
        let mut version = Version {
            number,
            locked: listed.map(|listed| (listed.status, listed.since.clone())),
            ident: event.map(|event| event.ident.clone()),
            docs: String::new(),
            shape: contract.as_ref().map(|contract| contract.shape),
            fields: Vec::new(),
            read,
        };
        let found = event.and_then(|event| self.documented(event));
        let (docs, fields) = found.unwrap_or_default();
        docs.clone_into(&mut version.docs);
        if let Some(contract) = contract
            && let Shape::Struct(of) = contract.shape
        {
            for field in of.fields {
                let found = Documented::field(fields, field.name);
                let ident = found.map_or(field.name, |field| &field.ident);
                let mut types = contract.rust.fields.iter();
                version.fields.push(Field {
                    key: field.name.to_owned(),
                    rust: types
                        .find(|(name, _)| same_name(name, ident))
                        .map_or_else(String::new, |(_, of)| of.clone()),
                    docs: found.map_or_else(String::new, |field| field.docs.clone()),
                });
            }
        }
        Ok(version)
    }

    /// What the source says of an event, or of a variant that is one.
    fn documented(&self, event: &code::Event) -> Option<(&str, &[FieldDocs])> {
        let (ident, variant) = match event.ident.split_once("::") {
            Some((ident, variant)) => (ident, Some(variant)),
            None => (event.ident.as_str(), None),
        };
        let of = self.find(ident, &event.file, event.line)?;
        let Some(variant) = variant else {
            return Some((&of.docs, &of.fields));
        };
        let mut variants = of.variants.iter();
        let (_, docs, fields) = variants.find(|(name, ..)| name == variant)?;
        Some((docs, fields))
    }

    /// How an older type comes to the next one.
    fn converted(&self, event: &code::Event) -> Read {
        let next = self.told.iter().find_map(|told| match told {
            Told::Event {
                version,
                ident,
                upcast_from: Some(from),
                ..
            } if *from == event.type_name => Some((*version, ident.clone())),
            _ => None,
        });
        match next {
            Some((to, into)) => Read::Converted {
                to,
                from: event.ident.clone(),
                into,
            },
            None => Read::Not,
        }
    }

    /// The newest stored names of a type: several of an enum.
    fn names(&self, of: &str, older: &[String]) -> Vec<String> {
        let told = self.told.iter().filter_map(|told| match told {
            Told::Event {
                type_name, name, ..
            } if type_name == of => Some(name.clone()),
            _ => None,
        });
        let mut names: Vec<_> = told.collect();
        if names.is_empty() {
            // A type of another package: its own name stands before older ones.
            names.extend(older.first().cloned());
        }
        names.sort();
        names.dedup();
        names
    }

    fn follower(&self, kind: Kind, of: &ToldFollower) -> Follower {
        let mut handles = Vec::new();
        for handled in &of.handled {
            for event in self.names(&handled.type_name, &handled.names) {
                handles.extend(handled.of.iter().map(|category| Handled {
                    category: category.clone(),
                    event: event.clone(),
                    method: handled.method.clone(),
                }));
            }
        }
        handles.sort();
        let found = self.find(&of.ident, &of.file, of.line);
        Follower {
            kind,
            name: of.name.clone(),
            ident: of.ident.clone(),
            docs: found.map_or_else(String::new, |of| of.docs.clone()),
            home: of.home,
            handles,
        }
    }

    /// In the order of the source, which tells a story.
    fn commands(&self, aggregate: &code::Aggregate) -> Vec<Command> {
        let file = canonical(&self.project.workspace_root.join(&aggregate.file));
        let mut named = self.site.aggregates.iter();
        let is_only = named.all(|one| one.ident != aggregate.ident || one.file == aggregate.file);
        let methods = self.sources.methods.iter();
        let methods = methods.filter(|one| {
            one.this == aggregate.ident && (is_only || one.file == file) && self.is_ours(&one.file)
        });
        let commands = methods.map(|method| Command {
            name: method.name.clone(),
            docs: method.docs.clone(),
            parameters: method.parameters.clone(),
            creates: method.creates,
            emits: self.emits(aggregate, method),
        });
        commands.filter(|one| !one.emits.is_empty()).collect()
    }

    /// Whether this lock is the one nearest above a file: below another one a type of the same name is another type.
    fn is_ours(&self, file: &Path) -> bool {
        let mut above = file.ancestors();
        let nearest = above.find(|folder| self.governed.iter().any(|one| one == folder));
        nearest.is_none_or(|nearest| nearest == governed(self.site))
    }

    fn emits(&self, aggregate: &code::Aggregate, method: &Method) -> Vec<(String, How)> {
        let mut all: Vec<(String, How)> = Vec::new();
        for returned in &method.returns {
            let category = Some(aggregate.category.as_str());
            let ours = self
                .site
                .events
                .iter()
                .filter(|event| event.category.as_deref() == category);
            // The enum of all events of the aggregate, which `#[apply]` writes, may hold any of them.
            let is_all = returned.ident == format!("{}Event", aggregate.ident);
            for event in ours {
                let (ident, variant) = match event.ident.split_once("::") {
                    Some((ident, variant)) => (ident, Some(variant)),
                    None => (event.ident.as_str(), None),
                };
                if ident != returned.ident && !is_all {
                    continue;
                }
                let how = match variant {
                    None if !is_all => returned.how,
                    _ => returned.how.max(How::Perhaps),
                };
                match all.iter_mut().find(|(name, _)| name == event.name()) {
                    Some((_, known)) => *known = (*known).max(how),
                    None => all.push((event.name().to_owned(), how)),
                }
            }
        }
        all
    }
}
