//! A handler that is compiled out takes its event with it.
#![deny(warnings)]

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct DoorId(u64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Opened {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct Closed {}

#[derive(Debug, Clone, PartialEq, Default, Aggregate)]
#[aggregate(stream = "door", id = DoorId)]
pub struct Door {
    pub open: bool,
}

#[apply]
impl Door {
    #[cfg(all())]
    fn opened(&mut self, _: Opened) {
        self.open = true;
    }

    #[cfg(any())]
    fn missing(&mut self, event: NoSuchType) {
        self.open = event.open;
    }

    #[cfg(all())]
    fn closed(&mut self, _: Closed) {
        self.open = false;
    }

    #[cfg(any())]
    fn closed(&mut self, _: Closed, at: &EventContext) {
        self.open = at.version == Version(1);
    }
}

#[derive(Debug, Default)]
pub struct Doors(pub u32);

#[projection(name = "doors", of(Door))]
impl Doors {
    fn opened(&mut self, _: Opened) {
        self.0 += 1;
    }

    #[cfg(any())]
    fn missing(&mut self, _: NoSuchType) {}
}

pub struct Table;

#[projection(name = "table", of(Door))]
impl Table {
    #[cfg(any())]
    const TABLES: &[&str] = &["CREATE TABLE {other} (opened bigint)"];
    #[cfg(all())]
    const TABLES: &[&str] = &["CREATE TABLE {table} (opened bigint)"];

    fn opened(&self, _: Opened, sql: &mut Sql) {
        sql.run("UPDATE {table} SET opened = opened + $1", (1_i64,));
    }

    #[cfg(any())]
    fn missing(&self, _: NoSuchType, at: &Envelope, sql: &mut Sql) {}
}

pub struct Told;

#[reaction(name = "told", of(Door))]
impl Told {
    async fn opened(&self, _: Opened) {}

    #[cfg(any())]
    async fn missing(&self, _: NoSuchType, at: &Envelope) {}
}

#[cfg(any())]
#[apply]
impl NoSuchState {
    fn opened(&mut self, _: Opened) {}
}

fn main() {
    let event = DoorEvent::from(Closed {});
    assert_eq!(event.clone(), event);
    assert_eq!(format!("{event:?}"), "Closed");
}
