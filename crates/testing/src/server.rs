//! A PostgreSQL server of our own: made in a temporary folder, reached by a socket in it, and ended
//! by a watchdog when the process that started it is gone.

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server.
pub struct Server {
    folder: PathBuf,
    /// Ends the server when its standard input closes: when this is dropped, or the process is gone.
    watchdog: Child,
}

/// Runs the server once told that its books are there, until the standard input closes, then ends it
/// and takes its folder away. It must outlive whatever ends the tests, so it ignores the signals that
/// are sent to them.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP
if read -r _; then
  "$@" >"$FOLDER/log" 2>&1 </dev/null &
  server=$!
  read -r _
  kill -QUIT $server 2>/dev/null
  wait $server
else
  # The books may still be on their way into the folder.
  sleep 2
fi
rm -rf "$FOLDER"
"#;

impl Server {
    /// Starts a server. A durable one waits for the disk as in production; others are faster.
    pub fn start(durable: bool) -> Server {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("branchline-pg-").tempdir_in("/tmp");
        let folder = folder.expect("a temporary folder can be made").keep();
        // PostgreSQL refuses to run as root.
        let user = is_root().then(|| owner_of_servers(&folder));
        let command = |program: &str| {
            let path = programs.join(program);
            match user {
                Some((uid, gid)) => {
                    let mut command = Command::new("setpriv");
                    command.args([
                        format!("--reuid={uid}"),
                        format!("--regid={gid}"),
                        "--clear-groups".to_owned(),
                    ]);
                    command.arg(path);
                    command
                }
                None => Command::new(path),
            }
        };
        let books = folder.join("data");
        let mut server = command("postgres");
        server.arg("-D").arg(&books).arg("-k").arg(&folder);
        let fast = if durable { "on" } else { "off" };
        for setting in [
            "listen_addresses=".to_owned(),
            "max_connections=200".to_owned(),
            "shared_buffers=64MB".to_owned(),
            "max_wal_size=4GB".to_owned(),
            format!("fsync={fast}"),
            format!("full_page_writes={fast}"),
        ] {
            server.args(["-c", &setting]);
        }
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "sh"])
            .arg(server.get_program())
            .args(server.get_args())
            .env("FOLDER", &folder)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh runs");
        let template = template(&programs);
        if !copied(&template, &books) {
            let made = command("initdb")
                .args([
                    "--no-sync",
                    "--no-instructions",
                    "--auth=trust",
                    "--username=postgres",
                    "--encoding=UTF8",
                ])
                .args(["--locale=C", "-D"])
                .arg(&books)
                .current_dir(&folder)
                .output()
                .expect("initdb runs");
            assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
            keep(&books, &template);
        }
        let told = watchdog.stdin.as_mut().map(|to_watchdog| to_watchdog.write_all(b"\n"));
        told.expect("its input is a pipe").expect("the watchdog listens");
        let server = Server { folder, watchdog };
        server.wait();
        server
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        let host = self.folder.to_string_lossy().replace('/', "%2F");
        format!("postgres://postgres@{host}/{database}")
    }

    fn wait(&self) {
        for _ in 0..600 {
            // The socket is there a moment before the server takes requests.
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            if log.contains("ready to accept connections") {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        panic!("PostgreSQL did not start within 12 seconds:\n{log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// The folder of the programs: in the search path, or where Debian puts them.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|folder| fs::canonicalize(folder.join("postgres")));
    let mut found: Vec<PathBuf> = in_path.flatten().filter_map(|p| p.parent().map(Path::to_owned)).collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<PathBuf> = versions.flatten().map(|v| v.path().join("bin")).collect();
        versions.sort();
        found.extend(versions.into_iter().rev());
    }
    let complete = |folder: &PathBuf| ["postgres", "initdb"].iter().all(|p| folder.join(p).exists());
    found.into_iter().find(complete).unwrap_or_else(|| {
        panic!(
            "the tests need PostgreSQL and found neither `postgres` in the search path nor anything in \
             /usr/lib/postgresql. Install it (apt-get install postgresql; dnf install postgresql-server; brew \
             install postgresql), or name a running server: {}=postgres://postgres@localhost/postgres",
            crate::POSTGRES
        )
    })
}

/// Where the books of a new server are kept, so that not every test process has to make them: beside
/// what is built, for each version by itself.
fn template(programs: &Path) -> PathBuf {
    let version: String = programs.to_string_lossy().chars().filter(char::is_ascii_alphanumeric).collect();
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(format!("postgres-{version}"))
}

fn copied(from: &Path, to: &Path) -> bool {
    from.exists() && Command::new("cp").arg("-a").arg(from).arg(to).status().is_ok_and(|s| s.success())
}

/// Keeps a copy, unless another process was faster.
fn keep(books: &Path, template: &Path) {
    let mut unfinished = template.as_os_str().to_owned();
    unfinished.push(format!(".{}", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    if !copied(books, &unfinished) || fs::rename(&unfinished, template).is_err() {
        let _ = fs::remove_dir_all(&unfinished);
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}

/// The user `postgres`, who then owns the folder, as numbers.
fn owner_of_servers(folder: &Path) -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let numbers = line.and_then(|line| {
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    let (uid, gid) = numbers.unwrap_or_else(|| {
        panic!("PostgreSQL does not run as root, and there is no user 'postgres' to run it as; add one")
    });
    std::os::unix::fs::chown(folder, Some(uid), Some(gid)).expect("root may give a folder away");
    (uid, gid)
}

/// The address of another database of the same server.
pub(crate) fn with_database(url: &str, name: &str) -> String {
    let (head, options) = url.split_once('?').map_or((url, String::new()), |(h, o)| (h, format!("?{o}")));
    let after_scheme = head.find("://").map_or(0, |at| at + 3);
    let end = head[after_scheme..].find('/').map_or(head.len(), |at| after_scheme + at);
    format!("{}/{name}{options}", &head[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_to_another_database_of_the_same_server() {
        for (url, expected) in [
            ("postgres://u:p@h:5432/postgres", "postgres://u:p@h:5432/x"),
            ("postgres://u@%2Ftmp%2Fa/postgres?a=b", "postgres://u@%2Ftmp%2Fa/x?a=b"),
            ("postgres://h", "postgres://h/x"),
        ] {
            assert_eq!(with_database(url, "x"), expected);
        }
    }
}
