//! Which stored events a projection handles.

use std::marker::PhantomData;

use crate::aggregate::Applies;
use crate::event::Names;
use crate::log::Selector;

/// Asks whether an aggregate applies an event.
#[derive(Debug, Clone, Copy)]
pub struct Probe<A, E>(PhantomData<(A, E)>);

impl<A: Applies<E>, E> Probe<A, E> {
    /// It does. An inherent constant is taken before a trait's, whenever its bounds hold.
    pub const APPLIES: bool = true;
}

/// Taken where the aggregate does not apply the event.
pub trait ProbeFallback {
    /// It does not.
    const APPLIES: bool = false;
}

impl<A, E> ProbeFallback for Probe<A, E> {}

/// What a projection selects.
pub type SelectorList = Vec<Selector>;

/// Selectors in the making: one for each category.
#[derive(Debug, Default)]
pub struct Selectors(Vec<Selector>);

impl Selectors {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event's names in a category, if the aggregate of that category applies it.
    #[must_use]
    pub fn add(mut self, applies: bool, category: &str, names: &Names) -> Self {
        if !applies {
            return self;
        }
        let known = self
            .0
            .iter()
            .position(|selector| selector.category.as_deref() == Some(category));
        let at = known.unwrap_or_else(|| {
            self.0.push(Selector {
                category: Some(category.to_owned()),
                names: Vec::new(),
            });
            self.0.len() - 1
        });
        if let Some(selector) = self.0.get_mut(at) {
            for name in names.to_vec() {
                if !selector.names.iter().any(|known| known == name) {
                    selector.names.push(name.to_owned());
                }
            }
        }
        self
    }

    /// All of them.
    pub fn into_vec(self) -> SelectorList {
        self.0
    }
}
