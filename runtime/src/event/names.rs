//! The stored names that one type reads, as a list that can be built and searched when compiling.

/// The names under which events of one type are stored now and were stored before.
///
/// ```
/// use recount::event::Names;
///
/// const OLD: Names = Names::new(&["Paid"]);
/// const NEW: Names = Names::new(&["MoneyReceived"]).with(&[&OLD]);
/// assert!(NEW.contains("Paid"));
/// assert_eq!(NEW.to_vec(), ["MoneyReceived", "Paid"]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// The current name first, then names from before a rename.
    own: &'static [&'static str],
    /// The names of types that are upcast or split into this one, or that this enum's variants hold.
    others: &'static [&'static Names],
}

impl Names {
    /// A list of these.
    pub const fn new(own: &'static [&'static str]) -> Self {
        Self { own, others: &[] }
    }

    /// The same, with those of other types.
    #[must_use]
    pub const fn with(self, others: &'static [&'static Names]) -> Self {
        Self {
            own: self.own,
            others,
        }
    }

    /// Whether a name is in the list.
    pub fn contains(&self, name: &str) -> bool {
        self.own.contains(&name) || self.others.iter().any(|names| names.contains(name))
    }

    /// All names, each once.
    pub fn to_vec(&self) -> Vec<&'static str> {
        let mut all = Vec::new();
        self.collect(&mut all);
        all
    }

    fn collect(&self, all: &mut Vec<&'static str>) {
        for name in self.own {
            if !all.contains(name) {
                all.push(name);
            }
        }
        for names in self.others {
            names.collect(all);
        }
    }

    /// A name that both lists hold.
    pub const fn shared(&self, other: &Self) -> Option<&'static str> {
        let mut i = 0;
        while i < self.own.len() {
            if other.has(self.own[i]) {
                return Some(self.own[i]);
            }
            i += 1;
        }
        let mut i = 0;
        while i < self.others.len() {
            if let Some(name) = self.others[i].shared(other) {
                return Some(name);
            }
            i += 1;
        }
        None
    }

    /// [`contains`](Self::contains), when compiling.
    const fn has(&self, name: &str) -> bool {
        let mut i = 0;
        while i < self.own.len() {
            if same(self.own[i], name) {
                return true;
            }
            i += 1;
        }
        let mut i = 0;
        while i < self.others.len() {
            if self.others[i].has(name) {
                return true;
            }
            i += 1;
        }
        false
    }
}

/// `==` on texts, when compiling.
const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}
