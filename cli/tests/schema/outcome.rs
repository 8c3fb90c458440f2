//! What programs get, and what does not depend on a package.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::project::Project;

#[test]
fn programs_get_an_envelope_with_all_that_people_are_told() {
    let project = Project::released("outcome9");
    let (code, status) = project.json(&["status"]);
    assert_eq!(
        (code, &status["version"], &status["status"]),
        (0, &1.into(), &"ok".into())
    );
    let row = &status["data"]["locks"][0]["events"][1];
    assert_eq!(
        *row,
        serde_json::json!({
            "event": "workout.Scheduled", "version": 1, "status": "released", "since": "0.3.0",
            "state": "as in the code", "samples": 14, "place": "src/lib.rs:9",
        })
    );

    project.edit("src/lib.rs", "u16, // as planned", "u8,");
    let (code, diff) = project.json(&["diff"]);
    assert_eq!((code, &diff["status"]), (1, &"findings".into()));
    let one = &diff["diagnostics"][0];
    assert_eq!(one["code"], "RC1011");
    assert_eq!(one["severity"], "error");
    assert_eq!(
        (&one["event"], &one["version"]),
        (&"workout.Scheduled".into(), &1.into())
    );
    assert_eq!(
        (&one["path"], &one["breaks"]),
        (&".minutes".into(), &"backward".into())
    );
    assert_eq!(
        (&one["before"], &one["after"]),
        (&"u16 0..=65535".into(), &"u8 0..=255".into())
    );
    assert_eq!(one["witness"], "{\"minutes\":65535,\"title\":\"\"}");
    assert!(
        one["resolve"]
            .as_str()
            .unwrap()
            .contains("bump workout.Scheduled")
    );

    project.edit("src/lib.rs", "u8,", "u8");
    project.edit("src/lib.rs", "pub title: String,", "pub title: Strin,");
    let (code, broken) = project.json(&["check"]);
    assert_eq!((code, &broken["status"]), (2, &"failed".into()));
    assert_eq!(broken["diagnostics"][0]["code"], "RC3020");
    assert!(
        broken["diagnostics"][0]["message"]
            .as_str()
            .unwrap()
            .contains("Strin")
    );
}

#[test]
fn shapes_are_exported_as_json_schema() {
    let project = Project::released("outcome10");
    let (code, export) = project.json(&["export", "--to", "jsonschema"]);
    assert_eq!(code, 0);
    assert_eq!(
        export["data"]["$defs"]["workout.Scheduled.v1"],
        serde_json::json!({
            "title": "workout.Scheduled.v1",
            "type": "object",
            "properties": {
                "minutes": { "type": "integer", "minimum": 0, "maximum": 65535 },
                "title": { "type": "string" },
            },
            "required": ["minutes", "title"],
        })
    );
}

#[test]
fn each_command_has_an_envelope_and_an_exit_code_that_says_how_it_went() {
    let project = Project::new("outcome12");
    let says = |arguments: &[&str], code: i32, status: &str| {
        let (found, envelope) = project.json(arguments);
        assert_eq!(
            (found, &envelope["status"], &envelope["version"]),
            (code, &status.into(), &1.into()),
            "{arguments:?}: {envelope:#}"
        );
        envelope
    };
    let fails = |arguments: &[&str], failure: &str| {
        let envelope = says(arguments, 2, "failed");
        assert_eq!(envelope["diagnostics"][0]["code"], failure, "{envelope:#}");
        assert_eq!(envelope["diagnostics"][0]["severity"], "error");
        assert_eq!(envelope["data"], Value::Null);
    };
    for command in ["status", "diff", "check", "accept", "release", "export"] {
        fails(&[command], "RC3001");
    }
    let event = ["bump", "retire", "drop"];
    for command in event {
        let version = (command != "bump").then_some("v1");
        let arguments: Vec<_> = [command, "Scheduled"].into_iter().chain(version).collect();
        fails(&arguments, "RC3001");
    }
    fails(&["scan", "--store", "sqlite:plans.db"], "RC3001");

    let init = says(&["init"], 0, "ok");
    assert_eq!(init["data"]["written"], json!(["schema/lock.toml"]));
    assert_eq!(says(&["init"], 0, "ok")["data"]["written"], json!([]));
    assert_eq!(
        says(&["status"], 0, "ok")["diagnostics"][0]["code"],
        "RC3003"
    );
    says(&["diff"], 0, "ok");
    says(&["check"], 1, "findings");
    let accept = says(&["accept"], 0, "ok");
    assert_eq!(
        accept["data"]["accepted"][1],
        json!({ "event": "workout.Scheduled", "version": 1, "what": "a new draft" })
    );
    fails(&["bump", "Scheduled"], "RC3024");
    says(&["check", "--release"], 1, "findings");
    let release = says(&["release"], 0, "ok");
    assert_eq!(
        release["data"]["released"][1],
        json!({ "event": "workout.Scheduled", "version": 1, "since": "0.3.0", "samples": 14 })
    );
    let check = says(&["check", "--release"], 0, "ok");
    assert_eq!(check["data"], json!({ "versions": 2, "locks": 1 }));
    fails(&["check", "--against", "nowhere"], "RC3029");
    for command in event {
        let version = (command != "bump").then_some("v1");
        let arguments: Vec<_> = [command, "Nobody"].into_iter().chain(version).collect();
        fails(&arguments, "RC3023");
    }
    fails(&["retire", "Scheduled", "v1"], "RC3024");
    fails(&["retire", "Scheduled", "v7"], "RC3023");
    fails(&["drop", "Scheduled", "v1"], "RC3024");
    fails(&["accept", "--reason", "whatever"], "RC3024");
    fails(&["accept", "Nobody"], "RC3023");

    let bump = says(&["bump", "Scheduled"], 0, "ok");
    assert_eq!(bump["data"]["bumped"][0]["ident"], "ScheduledV2");
    assert_eq!(bump["data"]["bumped"][0]["file"], "src/lib.rs");
    assert_eq!(bump["data"]["steps"].as_array().unwrap().len(), 4);
    project.edit("src/lib.rs", "event: Scheduled)", "event: ScheduledV2)");
    says(&["accept"], 0, "ok");
    let retire = says(&["retire", "Scheduled", "v1"], 0, "ok");
    assert_eq!(retire["data"]["status"], "retired");
    assert_eq!(retire["data"]["files"], json!(["schema/lock.toml"]));
    fails(&["drop", "Scheduled", "v1"], "RC3025");
    fails(
        &["drop", "Scheduled", "v1", "--evidence", "scan.json"],
        "RC3030",
    );
    let url = project.store(&[("Cancelled", 1, json!({}))]);
    let scan = says(&["scan", "--store", &url, "--out", "scan.json"], 0, "ok");
    assert_eq!(
        scan["data"]["categories"][0]["counts"],
        json!([{ "name": "Cancelled", "version": 1, "count": 1, "failed": 0, "passed_over": false }])
    );
    let drop = says(
        &["drop", "Scheduled", "v1", "--evidence", "scan.json"],
        0,
        "ok",
    );
    assert_eq!(drop["data"]["status"], "dropped");
    fails(
        &["scan", "--store", "postgres://nobody@127.0.0.1/x"],
        "RC3028",
    );
    let bad = project.store(&[("Cancelled", 7, json!({}))]);
    says(&["scan", "--store", &bad], 1, "findings");
    says(&["explain"], 0, "ok");
    assert_eq!(
        says(&["explain", "1011"], 0, "ok")["data"]["code"],
        "RC1011"
    );
    fails(&["explain", "RC9999"], "RC3023");
    assert!(says(&["export"], 0, "ok")["data"]["$defs"].is_object());
}

#[test]
fn what_could_not_be_done_goes_into_no_file() {
    let project = Project::new("outcome13");
    for arguments in [&["catalogue"][..], &["schema", "status"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recount"));
        let output = project.output(command.args(arguments).arg("--offline"), &[]);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.stdout.is_empty() && said.contains("RC3001"),
            "{said}"
        );
    }
}

#[test]
fn cargo_finds_the_command_in_the_path() {
    let project = Project::new("outcome14");
    let tool = Path::new(env!("CARGO_BIN_EXE_cargo-recount"));
    let path = std::env::var_os("PATH").unwrap();
    let folders = std::env::split_paths(&path);
    let folders = std::iter::once(tool.parent().unwrap().to_owned()).chain(folders);
    let path = std::env::join_paths(folders).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        let path = [("PATH", path.to_str().unwrap())];
        let output = project.output(command.arg("recount").args(arguments), &path);
        let out = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(out).unwrap())
    };
    let (code, out) = run(&["schema", "init", "--offline"]);
    assert_eq!(code, Some(0), "{out}");
    let (code, out) = run(&["schema", "status", "--offline"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("workout.Scheduled"), "{out}");
    let (code, out) = run(&["schema", "check", "--offline"]);
    assert_eq!(code, Some(1), "{out}");
    let (code, out) = run(&["catalogue", "--offline"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("# Events of plans-outcome14"), "{out}");
    let (code, out) = run(&["schema", "bump"]);
    assert_eq!(code, Some(2), "{out}");
    assert!(out.contains("Usage: cargo recount schema bump"), "{out}");
}

fn cargo_recount(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-recount"))
        .arg("recount")
        .args(arguments)
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), out)
}

#[test]
fn every_code_is_explained_through_cargo_too() {
    let (code, all) = cargo_recount(&["schema", "explain"]);
    assert_eq!(code, 0);
    let codes: Vec<_> = all
        .lines()
        .filter_map(|line| line.get(..6))
        .filter(|code| code.starts_with("RC"))
        .collect();
    assert!(codes.len() > 60 && codes.is_sorted(), "{all}");
    for code in codes {
        let (status, text) = cargo_recount(&["schema", "explain", &code.to_lowercase()]);
        assert_eq!(status, 0, "{text}");
        assert!(
            text.starts_with(&format!("{code}: ")) && text.lines().count() > 2,
            "{text}"
        );
    }
    for (code, word) in [
        ("RC1001", "compiler"),
        ("RC1012", "warning"),
        ("RC1022", "check"),
        ("RC2003", "tests"),
        ("RC3007", "check"),
        ("RC3011", "note"),
        ("RC3024", "stops"),
    ] {
        let line = format!("{code}  {word:8}  ");
        assert!(all.contains(&line), "no {line:?} in:\n{all}");
    }
    assert_eq!(cargo_recount(&["schema", "explain", "RC9999"]).0, 2);
    assert_eq!(cargo_recount(&["schema", "bump"]).0, 2);
}

#[test]
fn a_version_that_is_not_named_is_asked_for_with_an_example() {
    let project = Project::released("unnamed");
    for command in ["retire", "drop"] {
        project.recount(&[command, "Scheduled"]).says(
            2,
            &[
                &format!("`{command}` is said of one version, and none is named; of workout.Scheduled the lock has: v1, released"),
                &format!("cargo recount schema {command} workout.Scheduled v1"),
            ],
        );
    }
}

#[test]
fn what_the_compiler_refuses_is_explained_as_that() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ui/locked/fail");
    let said = fs::read_dir(cases)
        .unwrap()
        .map(|file| file.unwrap().path());
    let said = said.filter(|file| file.extension().is_some_and(|one| one == "stderr"));
    let said: String = said.map(|file| fs::read_to_string(file).unwrap()).collect();
    let (_, all) = cargo_recount(&["schema", "explain"]);
    let codes: BTreeSet<&str> = said
        .split("[RC")
        .skip(1)
        .filter_map(|rest| rest.get(..4))
        .collect();
    assert!(codes.len() > 10, "{codes:?}");
    for code in codes {
        assert!(
            all.contains(&format!("RC{code}  compiler  ")),
            "RC{code}:\n{all}"
        );
    }
}
