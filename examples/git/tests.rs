//! What a file's story is, told by its events. What git says of the same is compared in the project's own tests.

use recount::prelude::*;
use recount::testing::given;

use crate::domain::{
    Author, Commit, CommitId, CommitRecorded, Content, File, FileAdded, FileDeleted, FileRenamed,
    History, Kind,
};
use crate::path::RepoPath;

fn path(text: &str) -> RepoPath {
    RepoPath::from_bytes(text.as_bytes())
}

fn commit(by: &str) -> Commit {
    Commit {
        id: CommitId::new("c0ffee"),
        author: Author {
            name: by.into(),
            email: format!("{by}@example.org"),
        },
        at: DateTime::UNIX_EPOCH,
    }
}

fn content() -> Content {
    Content {
        kind: Kind::Regular,
        hash: "abc".into(),
    }
}

#[test]
fn a_file_that_is_renamed_and_deleted_keeps_its_story() {
    let added = FileAdded {
        path: path("old.txt"),
        content: content(),
        lines: None,
        commit: commit("ann"),
    };
    let renamed = FileRenamed {
        from: path("old.txt"),
        path: path("new.txt"),
        content: content(),
        lines: None,
        commit: commit("bob"),
    };
    let deleted = FileDeleted {
        path: path("new.txt"),
        lines: None,
        commit: commit("ann"),
    };
    given::<File>((added, renamed, deleted)).then_state(File {
        path: path("new.txt"),
        formerly: vec![path("old.txt")],
        authors: ["ann@example.org".into(), "bob@example.org".into()].into(),
        since: DateTime::UNIX_EPOCH,
        deleted: true,
    });
}

#[test]
fn a_history_ends_with_its_last_commit() {
    let recorded = |by| CommitRecorded {
        commit: commit(by),
        subject: "Begin".into(),
        files: 1,
    };
    given::<History>([recorded("ann"), recorded("bob")]).then_state(History {
        last: Some(recorded("bob")),
    });
}
