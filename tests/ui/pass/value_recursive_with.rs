use recount::prelude::*;

/// `Group` does not say that it contains this, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(recursive_with(Group))]
pub enum Condition {
    Open,
    All(Group),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(recursive_with(Condition))]
pub struct Group {
    pub conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(recursive_with(Leaf))]
pub struct Tree {
    pub leaves: Vec<Leaf>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(recursive_with(Tree))]
pub struct Leaf {
    pub tree: Option<Tree>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Pair<T> {
    pub left: T,
}

fn main() {}
