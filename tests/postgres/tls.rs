//! Encrypted connections: whom each mode trusts, and what is said when it trusts nobody.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use recount::Store;
use recount::store::ConnectError;
use recount::store::postgres::{PostgresOptions, TlsMode};
use tempfile::TempDir;

use crate::cluster::{Cluster, Stop};
use crate::run;

/// Somebody who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate for a host or a user, and its key.
    fn sign(&self, name: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        (signed.pem(), key.serialize_pem())
    }
}

/// Files that clients are given.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::with_prefix("recount-tls-").unwrap())
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

/// A server on this machine with a certificate for `localhost`.
fn server(authority: &Authority) -> Option<Cluster> {
    let cluster = Cluster::new(&[])?;
    let (certificate, key) = authority.sign("localhost");
    cluster.write("server.crt", &certificate);
    cluster.write("server.key", &key);
    cluster.write("ca.crt", &authority.pem);
    cluster.configure(&["ssl = on", "ssl_ca_file = 'ca.crt'"]);
    cluster.restart(Stop::Fast);
    Some(cluster)
}

/// Whether all connections of the log's name are encrypted.
async fn is_encrypted(cluster: &Cluster) -> bool {
    let client = cluster.client().await;
    let sql = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'recount'";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn each_mode_trusts_whom_it_says() {
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let Some(cluster) = server(&ours) else {
        return;
    };
    let files = Files::new();
    let (right, wrong) = (
        files.write("right.pem", &ours.pem),
        files.write("wrong.pem", &others.pem),
    );
    let (right, wrong) = (right.display().to_string(), wrong.display().to_string());
    for (host, mode, roots, advice) in [
        ("127.0.0.1", "disable", "", ""),
        ("127.0.0.1", "prefer", "", ""),
        ("127.0.0.1", "require", "", ""),
        ("127.0.0.1", "require", &*right, ""),
        ("127.0.0.1", "verify-ca", &right, ""),
        ("localhost", "verify-full", &right, ""),
        ("127.0.0.1", "verify-full", &right, "for another host"),
        ("localhost", "require", &wrong, "sslrootcert"),
        ("localhost", "verify-ca", &wrong, "sslrootcert"),
        ("localhost", "verify-full", &wrong, "sslrootcert"),
    ] {
        let case = format!("{mode} {host} {roots}");
        let roots = if roots.is_empty() {
            String::new()
        } else {
            format!("&sslrootcert={roots}")
        };
        let url = format!(
            "postgres://postgres@{host}:{}/postgres?sslmode={mode}{roots}",
            cluster.port()
        );
        let opened = Store::connect(&url).await;
        match (advice, opened) {
            ("", Ok(store)) => {
                assert_eq!(is_encrypted(&cluster).await, mode != "disable", "{case}");
                store.close().await.unwrap();
                cluster.wait_until_gone("recount").await;
            }
            ("", Err(refused)) => panic!("{case}: {refused:?}"),
            (wanted, refused) => {
                let refused = refused.unwrap_err();
                assert!(
                    matches!(&refused, ConnectError::Tls { advice, .. } if advice.contains(wanted)),
                    "{case}: {refused:?}"
                );
                assert!(
                    refused
                        .to_string()
                        .contains(&format!("{host}:{}", cluster.port())),
                    "{refused}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_by_who_asks_for_it() {
    let Some(cluster) = Cluster::new(&["ssl = off"]) else {
        return;
    };
    let url = cluster.url();
    let refused = Store::connect(&format!("{url}?sslmode=require"))
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, ConnectError::Tls { advice, .. } if advice.contains("offers no TLS")),
        "{refused:?}"
    );
    Store::connect(&format!("{url}?sslmode=prefer"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let ours = Authority::new("ours");
    let Some(cluster) = server(&ours) else {
        return;
    };
    let client = cluster.client().await;
    run(&client, "CREATE ROLE clerk LOGIN").await;
    run(&client, "CREATE DATABASE bank OWNER clerk").await;
    cluster.write("pg_hba.conf", "hostssl all clerk 127.0.0.1/32 cert\n");
    cluster.restart(Stop::Fast);
    let files = Files::new();
    let (certificate, key) = ours.sign("clerk");
    let certificate = files.write("clerk.pem", &certificate);
    let options = PostgresOptions::from_url(&cluster.url_as("clerk", "bank"))
        .unwrap()
        .tls(TlsMode::Require);
    let refused = options.clone().open().await.unwrap_err();
    assert!(
        matches!(refused, ConnectError::Denied { .. }),
        "{refused:?}"
    );
    let shown = options.client_certificate(certificate, files.write("clerk.key", &key));
    shown.open().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_safe_is_refused_before_anybody_connects() {
    let files = Files::new();
    let empty = files.write("empty.pem", "").display().to_string();
    let real = files
        .write("real.pem", &Authority::new("ours").pem)
        .display()
        .to_string();
    for (options, named, advice) in [
        ("sslmode=allow".to_owned(), "sslmode=allow", "verify-full"),
        (
            format!("sslrootcert={real}"),
            "sslmode=prefer",
            "sslrootcert",
        ),
        (
            "sslmode=verify-ca".to_owned(),
            "sslmode=verify-ca",
            "sslrootcert",
        ),
        (
            "sslmode=require&sslrootcert=system".to_owned(),
            "sslmode=require",
            "verify-full",
        ),
        (
            format!("sslmode=verify-full&sslrootcert={empty}"),
            "sslrootcert=",
            "no certificate",
        ),
        (
            "sslmode=verify-full&sslrootcert=/not%20there".to_owned(),
            "sslrootcert=/not there",
            "No such file",
        ),
        (
            format!("sslmode=require&sslcert={real}"),
            "sslcert=",
            "sslkey",
        ),
        (
            format!("sslmode=require&sslkey={real}"),
            "sslkey=",
            "sslcert",
        ),
    ] {
        let refused = Store::connect(&format!(
            "postgres://clerk:secret@127.0.0.1:1/bank?{options}"
        ))
        .await
        .unwrap_err();
        let ConnectError::Option { option, reason, .. } = &refused else {
            panic!("{options}: {refused:?}")
        };
        assert!(
            option.contains(named) && reason.contains(advice),
            "{refused}"
        );
        assert!(!format!("{refused:?}").contains("secret"), "{refused:?}");
    }
}
