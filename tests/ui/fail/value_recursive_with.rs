use recount::prelude::*;

/// `Group` does not say that it contains this, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(recursive_with(Group))]
pub enum Condition {
    Open,
    All(Group),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
pub struct Group {
    pub conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(recursive_with(Leaf, Leaf, Tree, Pair<u8>))]
pub struct Tree {
    pub leaves: Vec<Leaf>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(recursive_with)]
pub struct Leaf {
    pub tree: Option<Tree>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ValueObject)]
#[value(recursive_with(Leaf))]
pub struct Pair<T> {
    pub left: T,
}

fn main() {}
