//! `branchline backup FILE`: a consistent copy of a SQLite database while it is in use.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;

use crate::Common;
use crate::books::{self, Missing};
use crate::failure::Failure;
use crate::output::Style;

/// Copy the database while it is in use.
#[derive(Args)]
pub struct Backup {
    /// The new file to write
    file: PathBuf,
}

impl Backup {
    /// Copies to a new file beside the one named, and gives it its name when it is whole: whoever
    /// finds the file finds all of it.
    pub async fn run(self, common: &Common) -> Result<()> {
        let settings = common.settings(None)?;
        let shown = self.file.display().to_string();
        if self.file.exists() {
            let message = format!("{shown} exists already; name a new file");
            return Err(Failure::field("file_exists", "FILE", message).into());
        }
        let db = books::open(&settings, Missing::Refuse).await?;
        let mut partial = self.file.clone().into_os_string();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        if partial.exists() {
            std::fs::remove_file(&partial).with_context(|| partial.display().to_string())?;
        }
        let copied = tokio::task::spawn_blocking({
            let partial = partial.clone();
            move || db.backup(&partial)
        });
        if let Err(error) = copied.await? {
            // What was begun is of no use to anyone.
            let _ = std::fs::remove_file(&partial);
            return Err(anyhow::Error::from(error).context(shown));
        }
        // The books hold secrets of all accounts: only their owner may read the copy.
        let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&partial, owner_only)?;
        std::fs::File::open(&partial)?.sync_all()?;
        std::fs::rename(&partial, &self.file).with_context(|| shown.clone())?;
        let bytes = std::fs::metadata(&self.file)?.len();
        let megabytes = bytes as f64 / 1e6;
        let mut words = format!("{shown}  {megabytes:.1} MB");
        let key = settings.data.join(books::KEY_FILE);
        let key = Some(key).filter(|key| settings.secrets_key.is_none() && key.exists());
        let key = key.map(|key| key.display().to_string());
        if let Some(key) = &key {
            words += &format!(
                "\n{}",
                Style::Faint.paint(&format!(
                    "its secrets open by the key in {key}, which does not change: keep a copy of that, in another place"
                ))
            );
        }
        common.output().say(&json!({ "file": shown, "bytes": bytes, "secrets_key": key }), &words);
        Ok(())
    }
}
