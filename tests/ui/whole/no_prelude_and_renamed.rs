//! Generated code takes nothing from the prelude, and names the crate as it is told.
#![no_implicit_prelude]

extern crate recount as es;
// Nothing else is in scope under the crate's own name.
mod recount {}

#[derive(::std::fmt::Debug, ::std::clone::Clone, ::es::Id)]
#[id(crate = ::es)]
pub struct AccountId(::std::string::String);

#[derive(::std::fmt::Debug, ::std::clone::Clone, ::es::Id)]
#[id(crate = ::es)]
pub struct OrderId(::es::uuid::Uuid);

#[derive(
    ::std::clone::Clone,
    ::std::cmp::PartialEq,
    ::serde::Serialize,
    ::serde::Deserialize,
    ::es::ValueObject,
)]
#[value(crate = ::es)]
pub struct Holder<T> {
    name: ::std::string::String,
    #[serde(default, rename = "of", alias = "by")]
    more: ::std::option::Option<T>,
    #[serde(flatten)]
    parts: Parts,
}

#[derive(
    ::std::clone::Clone,
    ::std::cmp::PartialEq,
    ::serde::Serialize,
    ::serde::Deserialize,
    ::es::ValueObject,
)]
#[serde(tag = "kind")]
#[value(crate = ::es)]
pub enum Parts {
    None,
    Some {
        parts: ::std::vec::Vec<Parts>,
        #[value(opaque = "part@1")]
        first: (),
    },
}

const _: &::es::schema::Shape = <Holder<AccountId> as ::es::schema::Shaped>::SHAPE;

#[derive(::serde::Serialize, ::serde::Deserialize, ::es::Event)]
#[event(crate = ::es)]
pub struct Opened {
    pub holder: ::std::string::String,
}

#[derive(::serde::Serialize, ::serde::Deserialize, ::es::Event)]
#[event(crate = ::es, upcast_from = Opened, with = convert, formerly = "Begun")]
pub struct OpenedV2 {
    pub holder: ::std::string::String,
}

fn convert(old: Opened) -> ::std::option::Option<OpenedV2> {
    ::std::option::Option::Some(OpenedV2 { holder: old.holder })
}

#[derive(::serde::Serialize, ::serde::Deserialize, ::es::Event)]
#[event(crate = ::es, version = 2, upcast_json(1 => same))]
pub struct Renamed {}

fn same(json: ::es::serde_json::Value) -> ::es::serde_json::Value {
    json
}

#[derive(::es::Event)]
#[event(crate = ::es)]
pub enum Small {
    Viewed,
    Noted { text: ::std::string::String },
    Renamed(Renamed),
}

#[derive(::serde::Serialize, ::serde::Deserialize, ::es::Aggregate)]
#[aggregate(stream = "account", id = AccountId, snapshots, crate = ::es)]
pub struct Account {
    holder: ::std::string::String,
}

#[::es::apply(crate = ::es)]
impl Account {
    fn opened(event: OpenedV2) -> Self {
        Self {
            holder: event.holder,
        }
    }

    fn small(&mut self, event: &Small, at: &::es::EventContext) {
        let _ = (&self.holder, event, at);
    }
}

pub struct Count(u32);

#[::es::projection(name = "count", of(Account), crate = ::es)]
impl Count {
    fn opened(&mut self, _: OpenedV2, _: &::es::Envelope) {
        self.0 += 1;
    }

    fn small(&mut self, _: &Small) {}
}

pub struct Table;

#[::es::projection(name = "table", of(Account), crate = ::es)]
impl Table {
    const TABLES: &[&str] = &["CREATE TABLE {table} (holder text)"];

    fn opened(&self, event: OpenedV2, _: &::es::Envelope, sql: &mut ::es::sql::Sql) {
        sql.run("INSERT INTO {table} VALUES ($1)", (event.holder,));
    }

    fn small(&self, _: &Small, _: &mut ::es::sql::Sql) {}
}

pub struct Told;

#[::es::reaction(name = "told", of(Account), crate = ::es)]
impl Told {
    async fn opened(
        &self,
        event: OpenedV2,
        at: &::es::Envelope,
        act: &::es::reaction::Act,
    ) -> ::std::result::Result<(), ::std::string::String> {
        let _ = (event, at, act);
        ::std::result::Result::Ok(())
    }

    async fn small(&self, _: &Small) {}
}

fn main() {}
