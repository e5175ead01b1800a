//! Opening the books for a command, and keeping a second server away from them.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Result;
use gateway::seal::{self, Key, SealError};
use gateway::{Base, Clock, Rules};
use storage::{Address, Db};

use crate::failure::Failure;
use crate::settings::Settings;

/// Whether a command may make the books where there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It makes them.
    Create,
    /// It refuses: most likely another folder was meant.
    Refuse,
}

/// Opens the books.
///
/// # Errors
/// In words that say which database, what is wrong with it, and what to do.
pub async fn open(settings: &Settings, missing: Missing) -> Result<Db> {
    if let (Address::Sqlite(path), Missing::Refuse) = (&settings.database, missing)
        && !path.exists()
    {
        let message = format!(
            "there is no database at {}; name another folder with --data, or make one with 'branchline account create'",
            path.display()
        );
        return Err(Failure::new("no_database", message).into());
    }
    Db::open(&settings.database).await.map_err(|error| explain(settings, error))
}

/// The books, the clock and the installation's rules.
pub async fn base(settings: &Settings, missing: Missing, clock: Clock) -> Result<Base> {
    let db = open(settings, missing).await?;
    let base = Base::new(db, clock, rules(settings)).await?;
    // A port that the system is to choose is known once it is open.
    if !settings.listen.ends_with(":0") {
        base.reached_at(&own_url(&settings.listen));
    }
    base.mails_leave_by(settings.mail.as_ref().map(|server| server.address()).as_deref());
    base.people_sign_in_by(settings.people.clone());
    Ok(base)
}

/// The file of the key that the secrets in the books are sealed by, in the folder of the installation.
pub const KEY_FILE: &str = "secrets.key";

/// Gives the process the key of the secrets in the books: that of the settings, else the one in the
/// folder, which is made when nothing is sealed yet.
///
/// # Errors
/// In words that say what to do when there is no key, or it is not the right one.
pub async fn seal(settings: &Settings, base: &Base) -> Result<()> {
    let path = settings.data.join(KEY_FILE);
    let place = match &settings.secrets_key {
        Some(_) => "secrets_key in the settings".to_owned(),
        None => path.display().to_string(),
    };
    let found = match &settings.secrets_key {
        Some(key) => Some(key.clone()),
        None => key_in(&path)?,
    };
    let (key, is_new) = match found {
        Some(key) => (key, false),
        None if seal::is_begun(base).await? => {
            let message = format!(
                "the secrets in {} are sealed, and their key is not there: put back the file {place} from where the \
                 installation was or from its backup, or set secrets_key; if it is lost, 'branchline login lost-key' begins \
                 anew",
                settings.database_shown()
            );
            return Err(Failure::field("no_secrets_key", "secrets_key", message).into());
        }
        None => (new_key(&path)?, true),
    };
    match seal::begin(base, &key).await {
        Ok(()) => Ok(()),
        Err(SealError::Storage(error)) => Err(explain(settings, error)),
        Err(SealError::OtherKey) => {
            if is_new {
                // Another server was first, and its key is the one. Nothing was sealed by ours.
                let _ = std::fs::remove_file(&path);
            }
            let message = format!(
                "the key in {place} does not fit the secrets in {}: all servers on the same books need the same key, and \
                 it belongs to their backup; put that one there, or set secrets_key",
                settings.database_shown()
            );
            Err(Failure::field("wrong_secrets_key", "secrets_key", message).into())
        }
    }
}

/// The key in a file, if there is one.
fn key_in(path: &Path) -> Result<Option<Key>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Key::parse(&text).map(Some).ok_or_else(|| {
            let message = format!(
                "{} holds no key; put back the file that was there, of 43 characters, from its backup",
                path.display()
            );
            Failure::field("bad_secrets_key", "secrets_key", message).into()
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let message = format!("{} cannot be read ({error}); check its owner", path.display());
            Err(Failure::field("bad_secrets_key", "secrets_key", message).into())
        }
    }
}

/// Makes a key and its file, which lasts before anything is sealed by it and is its owner's alone.
fn new_key(path: &Path) -> Result<Key> {
    let key = Key::new();
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = File::options().create_new(true).write(true).mode(0o600).open(path)?;
        file.write_all(format!("{}\n", key.words()).as_bytes())?;
        file.sync_all()?;
        File::open(folder)?.sync_all()
    };
    match write() {
        Ok(()) => Ok(key),
        Err(error) => {
            let message = format!(
                "the key of secrets cannot be written to {} ({error}); check the folder's owner and the free space, or set \
                 secrets_key",
                path.display()
            );
            Err(Failure::field("bad_secrets_key", "secrets_key", message).into())
        }
    }
}

/// The address of this machine under which a server that listens here is reached.
pub fn own_url(listen: &str) -> String {
    let everywhere = |host: &str| matches!(host, "0.0.0.0" | "[::]");
    match listen.rsplit_once(':') {
        Some((host, port)) if everywhere(host) => format!("http://localhost:{port}"),
        _ => format!("http://{listen}"),
    }
}

fn rules(settings: &Settings) -> Rules {
    Rules {
        default_country: settings.default_country,
        time_zone: settings.time_zone.clone(),
        currency: settings.currency.clone(),
        default_sender: settings.default_sender.clone(),
        depth_max: settings.depth_max,
        public_urls: settings.public_urls.clone(),
    }
}

fn explain(settings: &Settings, error: storage::Error) -> anyhow::Error {
    let which = settings.database_shown();
    match &error {
        storage::Error::Busy(_) => Failure::new(
            "database_busy",
            format!("{which}: {error}. Another program holds the file; end it, or wait until it is done"),
        )
        .into(),
        storage::Error::Gone(_) => Failure::new(
            "database_unreachable",
            format!(
                "{which}: {error}. Check that the server runs, and the user, password and name in 'database'"
            ),
        )
        .into(),
        _ => anyhow::Error::from(error).context(which),
    }
}

/// The right to be the one server of a SQLite database; given up when the process ends, however it
/// ends. Command lines do not need it.
#[derive(Debug)]
pub struct Only {
    _file: Option<File>,
}

impl Only {
    /// Takes the lock beside the file of the database. Several servers may share PostgreSQL, so
    /// there is none to take there.
    ///
    /// # Errors
    /// When another server has it, or the folder cannot be written.
    pub fn server(database: &Address) -> Result<Only> {
        let Address::Sqlite(path) = database else { return Ok(Only { _file: None }) };
        let lock = path.with_extension("lock");
        let unwritable = |error: std::io::Error| {
            let folder = path.parent().unwrap_or(Path::new("."));
            let message = format!(
                "the folder {} cannot be written ({error}); check its owner and the free space, or choose another with --data",
                folder.display()
            );
            Failure::new("database_not_writable", message)
        };
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(unwritable)?;
        }
        let file =
            File::options().create(true).truncate(false).write(true).open(&lock).map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => Ok(Only { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => {
                let message = format!(
                    "another server is running on {}; stop it first, or give this one its own folder with --data",
                    path.display()
                );
                Err(Failure::new("already_running", message).into())
            }
            Err(TryLockError::Error(error)) => Err(unwritable(error).into()),
        }
    }
}
