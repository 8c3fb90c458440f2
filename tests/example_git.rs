//! The example `git`, run on repositories that are made to break it. Git itself is the judge: the example fails when its
//! files are not those of `git ls-tree`.

#[path = "support/postgres.rs"]
mod server;
mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use support::example;
use tempfile::TempDir;

/// Says so, where there is no git to compare with; where everything is checked, that is a failure.
fn git_is_missing() -> bool {
    let missing = Command::new("git").arg("--version").output().is_err();
    assert!(
        !missing || std::env::var_os("CI").is_none(),
        "git is not installed"
    );
    if missing {
        println!("not tested: git is not installed");
    }
    missing
}

/// A repository, written by `git fast-import`, which takes any path on any system.
struct Repository {
    folder: TempDir,
    script: Vec<u8>,
    commits: usize,
}

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a new folder");
        git(
            folder.path(),
            &["init", "--quiet", "--initial-branch=main", "repository"],
        );
        Self {
            folder,
            script: Vec::new(),
            commits: 0,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    fn store(&self) -> String {
        store(&self.folder, "store.db")
    }

    /// A commit on `main`; `changes` go on the one before.
    fn commit(&mut self, subject: &str, changes: &[Change<'_>]) -> usize {
        self.commit_on("main", None, &[], subject, changes)
    }

    fn commit_on(
        &mut self,
        branch: &str,
        from: Option<usize>,
        merged: &[usize],
        subject: &str,
        changes: &[Change<'_>],
    ) -> usize {
        self.commits += 1;
        let number = self.commits;
        let time = 1_700_000_000 + number * 3600;
        let person = ["Ada <ada@example.org>", "Bob \u{17d}. <bob@example.org>"][number % 2];
        self.line(&format!("commit refs/heads/{branch}\nmark :{number}"));
        self.line(&format!("author {person} {time} +0000"));
        self.line(&format!("committer {person} {time} +0000"));
        self.data(subject.as_bytes());
        if let Some(from) = from {
            self.line(&format!("from :{from}"));
        }
        for merged in merged {
            self.line(&format!("merge :{merged}"));
        }
        for change in changes {
            match change {
                Change::Put(mode @ "160000", path, commit) => {
                    let commit = String::from_utf8_lossy(commit).into_owned();
                    self.line(&format!("M {mode} {commit} {}", quoted(path)));
                }
                Change::Put(mode, path, content) => {
                    self.line(&format!("M {mode} inline {}", quoted(path)));
                    self.data(content);
                }
                Change::Move(from, to) => {
                    self.line(&format!("R {} {}", quoted(from), quoted(to)));
                }
                Change::Delete(path) => self.line(&format!("D {}", quoted(path))),
            }
        }
        self.line("");
        number
    }

    /// Hands the commits so far to git.
    fn write(&mut self) -> &mut Self {
        let marks = self.folder.path().join("marks").display().to_string();
        let import = format!("--import-marks-if-exists={marks}");
        let export = format!("--export-marks={marks}");
        let mut child = command(
            &self.path(),
            &["fast-import", "--quiet", "--force", &import, &export],
        )
        .stdin(Stdio::piped())
        .spawn()
        .expect("git runs");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(&self.script).expect("git reads");
        drop(input);
        assert!(child.wait().expect("git ends").success());
        self.script.clear();
        self
    }

    fn line(&mut self, line: &str) {
        self.script.extend_from_slice(line.as_bytes());
        self.script.push(b'\n');
    }

    fn data(&mut self, data: &[u8]) {
        self.line(&format!("data {}", data.len()));
        self.script.extend_from_slice(data);
        self.script.push(b'\n');
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(&self.path(), &self.store(), arguments)
    }

    /// What the example prints after the lines that name the repository and the store.
    fn told(&self, arguments: &[&str]) -> String {
        told(&self.run(arguments))
    }

    /// Runs the example for every commit of the first-parent history, each of which it checks against git.
    fn check_every_commit(&self) {
        let history = git(&self.path(), &["rev-list", "--first-parent", "HEAD"]);
        assert!(!history.is_empty());
        for commit in history.lines() {
            let told = self.told(&["--at", commit]);
            assert!(told.contains("\nChecked: "), "{told}");
        }
    }
}

/// The URL of a store in a file of this folder.
fn store(folder: &TempDir, name: &str) -> String {
    format!("sqlite:{}", folder.path().join(name).display())
}

enum Change<'a> {
    Put(&'a str, &'a [u8], &'a [u8]),
    Move(&'a [u8], &'a [u8]),
    Delete(&'a [u8]),
}

use Change::{Delete, Move, Put};

const FILE: &str = "100644";

/// A path as fast-import reads it: quoted, with everything unusual in octal.
fn quoted(path: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("\"");
    for byte in path {
        if byte.is_ascii_alphanumeric() || b"./-_".contains(byte) {
            text.push(char::from(*byte));
        } else {
            write!(text, "\\{byte:03o}").expect("a string takes all");
        }
    }
    text.push('"');
    text
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(folder)
        .args(["-c", "protocol.file.allow=always"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE");
    command
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = command(folder, arguments).output().expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

fn run(repository: &Path, store: &str, arguments: &[&str]) -> Output {
    example("git")
        .arg(repository)
        .args(["--store", store])
        .args(arguments)
        .output()
        .expect("the example runs")
}

fn told(output: &Output) -> String {
    let told = String::from_utf8(output.stdout.clone()).expect("text");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{complaint}");
    let mut lines = told.splitn(3, '\n');
    assert!(
        lines
            .next()
            .is_some_and(|line| line.starts_with("Repository: "))
    );
    assert!(lines.next().is_some_and(|line| line.starts_with("Store: ")));
    lines.next().unwrap_or_default().to_owned()
}

/// What the example says when it fails.
fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "it should fail: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_small_history_is_told_as_it_is() {
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    let root = repository.commit(
        "Begin",
        &[
            Put(FILE, b"README.md", b"one\ntwo\n"),
            Put(FILE, b"src/lib.rs", b"fn a() {}\nfn b() {}\nfn c() {}\n"),
            Put(FILE, b"logo.png", b"\x89PNG\0\0"),
        ],
    );
    repository.commit("Say more", &[Put(FILE, b"README.md", b"one\ntwo\nthree\n")]);
    let branched = repository.commit_on(
        "feature",
        Some(root),
        &[],
        "Off the road",
        &[Put(FILE, b"extra.txt", b"extra\n")],
    );
    repository.commit_on(
        "main",
        None,
        &[branched],
        "Merge",
        &[Put(FILE, b"extra.txt", b"extra\n")],
    );
    repository.commit("Move", &[Move(b"README.md", b"docs/README.md")]);
    repository.commit("Drop", &[Delete(b"logo.png")]);
    repository.write();

    let head = &git(&repository.path(), &["rev-parse", "HEAD"])[..10];
    assert_eq!(
        repository.told(&[]),
        format!(
            "\
It holds no commits yet.
Recorded 5 new commits in 12 events.

At commit {head}, after 5 commits:
2 contributors, by commits:
     3  +2 -0  Ada <ada@example.org>
     2  +5 -0  Bob \u{17d}. <bob@example.org>
3 files, by changes:
     3  docs/README.md
     1  extra.txt
     1  src/lib.rs
docs/README.md is there since 2023-11-14, by 2 authors, formerly README.md.

Checked: `git ls-tree -r {head}` lists exactly what the log holds, 3 files, with the same content.
"
        )
    );
    let root = &git(&repository.path(), &["rev-parse", "HEAD~4"])[..10];
    assert_eq!(
        repository.told(&["--at", "HEAD~4"]),
        format!(
            "\
It holds 5 commits, up to {head} Drop
Recorded 0 new commits in 0 events.

At commit {root}, after 1 commit:
1 contributor, by commits:
     1  +5 -0  Bob \u{17d}. <bob@example.org>
3 files, by changes:
     1  README.md
     1  logo.png
     1  src/lib.rs
README.md is there since 2023-11-14, by 1 author.

Checked: `git ls-tree -r {root}` lists exactly what the log holds, 3 files, with the same content.
"
        )
    );
}

#[test]
fn no_name_breaks_it() {
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    let long = b"deep/".repeat(1200);
    let names: [&[u8]; 20] = [
        b"with space",
        b" leading and trailing ",
        b"\"quoted\"",
        b"'single'",
        b"tab\there",
        b"line\nfeed",
        b"\nfirst",
        b"back\\slash",
        b"100%",
        b"%41",
        b"A",
        b"-dash",
        b":colon",
        b"commit",
        b"1\t1\tcommit",
        b"caf\xe9",
        b"\xff\xfe/\x80",
        "caf\u{e9}".as_bytes(),
        "\u{1f980}/\u{202e}".as_bytes(),
        &[long.as_slice(), b"file"].concat(),
    ];
    let added: Vec<_> = names.iter().map(|name| Put(FILE, name, name)).collect();
    repository.commit("commit", &added);
    let targets: Vec<_> = names
        .iter()
        .map(|name| [name, b".\xfe new".as_slice()].concat())
        .collect();
    let moves: Vec<_> = names
        .iter()
        .zip(&targets)
        .map(|(from, to)| Move(from, to))
        .collect();
    repository.commit("", &moves);
    repository.commit("\u{1f980} -1\t:0", &[Put(FILE, &targets[4], b"changed")]);
    repository.commit("Delete", &[Delete(&targets[0]), Delete(&targets[19])]);
    repository.write().check_every_commit();
    let told = repository.told(&[]);
    assert!(told.contains("     3  tab%09here.%FE new\n"), "{told}");
}

/// Twenty lines that no other number has.
fn text(number: usize) -> Vec<u8> {
    format!("a file of its own, number {number}\n")
        .repeat(20)
        .into_bytes()
}

const ONE: &[u8] = b"1111111111111111111111111111111111111111";
const TWO: &[u8] = b"2222222222222222222222222222222222222222";

#[test]
fn files_that_move_and_go_do_not_break_it() {
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    repository.commit("An empty root", &[]);
    repository.commit(
        "Files",
        &[
            Put(FILE, b"a", &text(1)),
            Put(FILE, b"c", &text(3)),
            Put(FILE, b"kept", &text(4)),
            Put(FILE, b"binary", b"\0\x01\x02"),
            Put(FILE, b"empty", b""),
        ],
    );
    repository.commit("A chain", &[Move(b"a", b"b"), Move(b"c", b"a")]);
    repository.commit("Back", &[Move(b"a", b"c"), Move(b"b", b"a")]);
    repository.commit(
        "A swap",
        &[Move(b"a", b"t"), Move(b"c", b"a"), Move(b"t", b"c")],
    );
    repository.commit("Only the case", &[Move(b"kept", b"KEPT")]);
    repository.commit("Nothing", &[]);
    repository.commit("Deleted", &[Delete(b"a")]);
    repository.commit("There again", &[Put(FILE, b"a", &text(9))]);
    repository.commit(
        "One for another",
        &[Delete(b"a"), Put(FILE, b"z", b"of no likeness\n")],
    );
    repository.commit(
        "Copies",
        &[Put(FILE, b"copy", &text(4)), Put(FILE, b"copy2", &text(4))],
    );
    let longer = [text(4), b"more\n".to_vec()].concat();
    repository.commit(
        "Renamed and rewritten",
        &[Delete(b"KEPT"), Put(FILE, b"kept", &longer)],
    );
    repository.commit("Binary", &[Put(FILE, b"binary", b"\0\x03")]);
    let all = ["z", "copy", "copy2", "c", "kept", "binary", "empty"];
    repository.commit("No file left", &all.map(|path| Delete(path.as_bytes())));
    repository.write().check_every_commit();
    assert!(
        repository
            .told(&[])
            .contains("lists exactly what the log holds, 0 files")
    );
}

#[test]
fn what_a_path_holds_may_change_its_kind() {
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    repository.commit(
        "Of each kind",
        &[
            Put(FILE, b"file", &text(1)),
            Put("100755", b"run", b"#!/bin/sh\n"),
            Put("120000", b"link", b"file"),
            Put("160000", b"sub/mod ule", ONE),
        ],
    );
    repository.commit("Mode only", &[Put("100755", b"file", &text(1))]);
    repository.commit(
        "Each another",
        &[
            Put("120000", b"file", b"elsewhere"),
            Put("160000", b"run", ONE),
            Put(FILE, b"link", b"a file now\n"),
        ],
    );
    repository.commit("A submodule moves on", &[Put("160000", b"run", TWO)]);
    repository.commit("A submodule is renamed", &[Move(b"sub/mod ule", b"lib")]);
    repository.commit(
        "File to folder",
        &[Delete(b"link"), Put(FILE, b"link/a", b"a file now\n")],
    );
    repository.commit(
        "Folder to file",
        &[Delete(b"link"), Put(FILE, b"link", b"a file now\n")],
    );
    repository.commit(
        "Submodule to folder",
        &[Delete(b"run"), Put(FILE, b"run/file", b"x\n")],
    );
    repository.write().check_every_commit();
}

#[test]
fn a_merge_is_all_that_it_brings_to_its_first_parent() {
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    let base = repository.commit(
        "Begin",
        &[Put(FILE, b"a", &text(1)), Put(FILE, b"b", &text(2))],
    );
    let left = [Put(FILE, b"left", b"left\n"), Delete(b"b")];
    let left_end = repository.commit_on("left", Some(base), &[], "Left", &left);
    let right = [Move(b"a", b"moved a")];
    let right_end = repository.commit_on("right", Some(base), &[], "Right", &right);
    repository.commit("Meanwhile", &[Put(FILE, b"main", b"main\n")]);
    repository.commit_on("main", None, &[left_end], "Merge all", &left);
    repository.commit_on("main", None, &[right_end], "Merge nothing", &[]);
    let evil = [Put(FILE, b"evil", b"only in the merge\n")];
    repository.commit_on("main", None, &[left_end, right_end], "Octopus", &evil);
    repository.write().check_every_commit();
    assert!(repository.told(&[]).contains("after 5 commits:"));
}

#[test]
fn a_commit_of_more_files_than_a_batch_is_recorded_whole() {
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    let files: Vec<_> = (0..1200)
        .map(|n| (format!("many/{n}").into_bytes(), text(n)))
        .collect();
    let added: Vec<_> = files
        .iter()
        .map(|(path, content)| Put(FILE, path, content))
        .collect();
    repository.commit("Added", &added);
    let deleted: Vec<_> = files.iter().map(|(path, _)| Delete(path)).collect();
    repository.commit("Deleted", &deleted);
    repository.write().check_every_commit();
}

#[test]
fn no_setting_changes_what_is_read() {
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    let text = "a line\n".repeat(50);
    let modules = b"[submodule \"sub\"]\n\tpath = sub\n\turl = ./sub\n\tignore = all\n";
    repository.commit(
        "Begin",
        &[
            Put(FILE, b"folder/one", text.as_bytes()),
            Put(FILE, b"caf\xe9", b"x\n"),
            Put(FILE, b".gitmodules", modules),
            Put(FILE, b".gitattributes", b"* diff=custom\n"),
            Put("160000", b"sub", ONE),
        ],
    );
    repository.commit("Renamed", &[Move(b"folder/one", b"folder/two")]);
    repository.commit("Moved on", &[Put("160000", b"sub", TWO)]);
    let side = [Put(FILE, b"side", b"side\n")];
    let merged = repository.commit_on("side", Some(1), &[], "Beside", &side);
    repository.commit_on("main", None, &[merged], "Fin de l'\u{e9}t\u{e9}", &side);
    repository.write();
    let path = repository.path();
    let plain = told(&run(&path, &store(&repository.folder, "plain.db"), &[]));
    for (name, value) in [
        ("diff.renames", "false"),
        ("diff.renameLimit", "1"),
        ("diff.ignoreSubmodules", "all"),
        ("diff.relative", "true"),
        ("diff.noPrefix", "true"),
        ("diff.external", "false"),
        ("diff.custom.textconv", "false"),
        ("log.showRoot", "false"),
        ("log.showSignature", "true"),
        ("log.diffMerges", "remerge"),
        ("log.follow", "true"),
        ("log.date", "relative"),
        ("format.pretty", "oneline"),
        ("color.ui", "always"),
        ("core.quotePath", "true"),
        ("core.pager", "false"),
        ("i18n.logOutputEncoding", "ISO-8859-1"),
    ] {
        git(&path, &["config", name, value]);
    }
    let checked_out = [
        "checkout",
        "HEAD",
        "--",
        ".gitattributes",
        ".gitmodules",
        "folder",
    ];
    git(&path, &checked_out);
    git(&path, &["replace", "HEAD~1", "HEAD~2"]);
    // From within a folder, with the environment of a hook that runs for another repository.
    let output = example("git")
        .arg(path.join("folder"))
        .args(["--store", &repository.store()])
        .env("GIT_DIR", "/nowhere")
        .env("GIT_INDEX_FILE", "/nowhere/index")
        .output()
        .expect("the example runs");
    assert_eq!(told(&output), plain);
    assert!(plain.contains("     2  folder/two\n"), "{plain}");
    let again = repository.told(&[]);
    assert!(again.contains(" Fin de l'\u{e9}t\u{e9}\n"), "{again}");
}

#[test]
fn a_second_run_records_only_what_is_new() {
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    repository.commit("One", &[Put(FILE, b"a", b"1\n"), Put(FILE, b"b", b"1\n")]);
    repository.write();
    assert!(
        repository
            .told(&[])
            .contains("Recorded 1 new commit in 3 events.")
    );
    let again = repository.told(&[]);
    assert!(again.starts_with("It holds 1 commit, up to "), "{again}");
    assert!(
        again.contains("Recorded 0 new commits in 0 events."),
        "{again}"
    );

    repository.commit_on("main", Some(1), &[], "Two", &[Put(FILE, b"a", b"2\n")]);
    repository.commit("Three", &[Move(b"b", b"c")]);
    repository.write();
    assert!(
        repository
            .told(&[])
            .contains("Recorded 2 new commits in 4 events.")
    );
    repository.check_every_commit();
}

#[tokio::test]
async fn a_history_on_a_server_is_gone_on_with_and_every_commit_is_as_git_has_it() {
    let Some(schema) = server::Schema::new().await else {
        return;
    };
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    let on_server = |repository: &Repository, arguments: &[&str]| {
        told(&run(&repository.path(), &schema.url(), arguments))
    };
    repository.commit("One", &[Put(FILE, b"a", b"1\n"), Put(FILE, b"b", b"1\n")]);
    repository.write();
    let first = on_server(&repository, &[]);
    assert!(
        first.contains("Recorded 1 new commit in 3 events."),
        "{first}"
    );
    repository.commit_on("main", Some(1), &[], "Two", &[Put(FILE, b"a", b"2\n")]);
    repository.commit("Three", &[Move(b"b", b"c")]);
    repository.write();
    let second = on_server(&repository, &[]);
    assert!(
        second.contains("Recorded 2 new commits in 4 events."),
        "{second}"
    );
    let history = git(&repository.path(), &["rev-list", "--first-parent", "HEAD"]);
    assert_eq!(history.lines().count(), 3);
    for commit in history.lines() {
        let told = on_server(&repository, &["--at", commit]);
        assert!(told.contains("\nChecked: "), "{told}");
    }
}

#[test]
fn a_rewritten_history_is_refused() {
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    repository.commit("One", &[Put(FILE, b"a", b"1\n")]);
    repository.commit("Two", &[Put(FILE, b"a", b"2\n")]);
    repository.write();
    repository.told(&[]);
    let two = git(&repository.path(), &["rev-parse", "HEAD"]);

    // The same depth, then shorter, then longer with the old commit only behind a merge's second parent.
    repository.commit_on(
        "main",
        Some(1),
        &[],
        "Another two",
        &[Put(FILE, b"a", b"other\n")],
    );
    repository.write();
    let other = git(&repository.path(), &["rev-parse", "HEAD"]);
    for make in [["reset", "--soft", &other], ["reset", "--soft", "HEAD~1"]] {
        git(&repository.path(), &make);
        let said = refused(&repository.run(&[]));
        assert!(
            said.contains("its history was rewritten") && said.contains(&two),
            "{said}"
        );
    }
    repository.commit_on("main", Some(3), &[2], "Merged the other way", &[]);
    repository.write();
    let said = refused(&repository.run(&[]));
    assert!(said.contains("its history was rewritten"), "{said}");

    git(&repository.path(), &["update-ref", "-d", "refs/heads/main"]);
    let said = refused(&repository.run(&[]));
    assert!(said.contains("its history was rewritten"), "{said}");
}

#[test]
fn a_commit_beside_the_history_is_refused() {
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    repository.commit("One", &[Put(FILE, b"a", b"1\n")]);
    let beside = repository.commit_on("side", Some(1), &[], "Beside", &[Put(FILE, b"b", b"1\n")]);
    repository.commit_on("main", Some(1), &[], "Two", &[Put(FILE, b"a", b"2\n")]);
    repository.commit_on("main", None, &[beside], "Merge", &[Put(FILE, b"b", b"1\n")]);
    repository.write();
    let said = refused(&repository.run(&["--at", "side"]));
    assert!(
        said.contains("is not on the first-parent history of HEAD"),
        "{said}"
    );
    for name in ["nowhere", "--all", "HEAD:a", ""] {
        let said = refused(&repository.run(&["--at", name]));
        assert!(
            said.contains("is not a commit of this repository"),
            "{said}"
        );
    }
}

#[test]
fn an_empty_repository_has_nothing_to_show() {
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    let told = repository.told(&[]);
    assert!(
        told.ends_with("The repository has no commits: there is nothing to show.\n"),
        "{told}"
    );
    repository.commit("Now", &[Put(FILE, b"a", b"1\n")]);
    repository.write().check_every_commit();
}

#[test]
fn what_is_no_repository_is_refused() {
    if git_is_missing() {
        return;
    }
    let folder = tempfile::tempdir().expect("a new folder");
    for path in [folder.path().to_owned(), folder.path().join("not there")] {
        let said = refused(&run(&path, &store(&folder, "store.db"), &[]));
        assert!(said.contains("is not a git repository"), "{said}");
    }
    assert!(
        std::fs::read_dir(folder.path())
            .expect("the folder")
            .next()
            .is_none(),
        "nothing is made"
    );
}

#[test]
fn clones_of_any_kind_are_read() {
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    for n in 0..5_u8 {
        repository.commit(
            "More",
            &[
                Put(FILE, &[b'a' + n], &[n]),
                Put(FILE, b"same", &[n, b'\n']),
            ],
        );
    }
    repository.write();
    let folder = repository.folder.path();
    let url = format!("file://{}", repository.path().display());
    git(folder, &["clone", "--quiet", "--depth=2", &url, "shallow"]);
    git(folder, &["clone", "--quiet", "--bare", &url, "bare"]);
    git(folder, &["clone", "--quiet", &url, "detached"]);
    git(
        &folder.join("detached"),
        &["checkout", "--quiet", "--detach", "HEAD~1"],
    );
    for (clone, commits) in [("shallow", 2), ("bare", 5), ("detached", 4)] {
        let store = store(&repository.folder, &format!("{clone}.db"));
        let told = told(&run(&folder.join(clone), &store, &[]));
        assert!(
            told.contains(&format!("Recorded {commits} new commit")),
            "{told}"
        );
    }
    // The same store, now that there are commits before the first: they cannot be recorded in front.
    git(
        &folder.join("shallow"),
        &["fetch", "--quiet", "--unshallow"],
    );
    let store = store(&repository.folder, "shallow.db");
    let said = refused(&run(&folder.join("shallow"), &store, &[]));
    assert!(said.contains("deepened"), "{said}");
}

#[test]
fn an_import_that_is_killed_is_gone_on_with() {
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    for n in 0..2000_u32 {
        let path = format!("folder {}/{}", n % 7, n % 300);
        repository.commit("More", &[Put(FILE, path.as_bytes(), &n.to_le_bytes())]);
    }
    repository.write();
    let mut child = example("git")
        .arg(repository.path())
        .args(["--store", &repository.store()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example runs");
    let told = BufReader::new(child.stdout.take().expect("a pipe"));
    assert!(
        told.lines()
            .any(|line| line.is_ok_and(|line| line == "It holds no commits yet."))
    );
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    let told = repository.told(&[]);
    assert!(told.contains("after 2000 commits"), "{told}");
    assert!(told.contains("\nChecked: "), "{told}");
}

#[test]
fn of_two_imports_at_once_each_commit_is_recorded_once() {
    if git_is_missing() {
        return;
    }
    let mut repository = Repository::new();
    for n in 0..2000_u32 {
        let path = format!("{}", n % 300);
        repository.commit("More", &[Put(FILE, path.as_bytes(), &n.to_le_bytes())]);
    }
    repository.write();
    let racers: Vec<_> = (0..2)
        .map(|_| {
            example("git")
                .arg(repository.path())
                .args(["--store", &repository.store()])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the example runs")
        })
        .collect();
    let mut recorded = 0;
    for racer in racers {
        let output = racer.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            let told = told(&output);
            let commits = told.split_once("Recorded ").expect("a count").1;
            let commits = commits.split_once(' ').expect("a number").0;
            recorded += commits.parse::<u32>().expect("a number");
        } else {
            assert!(said.contains("somebody else imports"), "{said}");
        }
    }
    assert!(recorded <= 2000, "{recorded}");
    let told = repository.told(&[]);
    assert!(told.contains("after 2000 commits"), "{told}");
    assert!(told.contains("\nChecked: "), "{told}");
}
