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
