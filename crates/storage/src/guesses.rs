//! How often somebody tried what only one person knows: a level a door, which rises with each try
//! and sinks with the time. What is too much, the rules of `gateway` say.

use domain::moment::Moment;

use crate::db::{Error, Result, Tx};

/// How many tries a door has had, in millionths of one, as of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// In millionths of a try.
    pub level: i64,
    /// When that was so.
    pub at: Moment,
}

/// The levels of some doors, in the order of their names, held so that nobody else changes them
/// before the transaction ends. `doors` are sorted, so that two who ask do not wait for each other.
pub async fn hold(tx: &mut Tx, doors: &[String]) -> Result<Vec<Level>> {
    debug_assert!(doors.is_sorted());
    let mut levels = Vec::with_capacity(doors.len());
    for door in doors {
        let insert =
            "insert into guesses (what, level, level_at) values ($1, 0, 0) on conflict (what) do nothing";
        tx.execute(insert, &[door.into()]).await?;
        let row =
            tx.one("select level, level_at from guesses where what = $1 {lock}", &[door.into()]).await?;
        // Forgotten between the two statements: whoever asks again finds it new.
        let row = row.ok_or_else(|| Error::Busy("the count of guesses was just cleared".to_owned()))?;
        levels.push(Level { level: row.int(0)?, at: Moment(row.int(1)?) });
    }
    Ok(levels)
}

/// Sets the level of a door.
pub async fn set(tx: &mut Tx, door: &str, level: Level) -> Result<()> {
    let sql = "update guesses set level = $2, level_at = $3 where what = $1";
    tx.execute(sql, &[door.into(), level.level.into(), level.at.0.into()]).await.map(drop)
}

/// Takes a try back: it was right.
pub async fn take_back(tx: &mut Tx, doors: &[String], amount: i64) -> Result<()> {
    for door in doors {
        let sql =
            "update guesses set level = case when level > $2 then level - $2 else 0 end where what = $1";
        tx.execute(sql, &[door.into(), amount.into()]).await?;
    }
    Ok(())
}

/// Forgets doors that nobody has tried since a moment.
pub async fn forget(tx: &mut Tx, before: Moment) -> Result<u64> {
    tx.execute("delete from guesses where level_at < $1", &[before.0.into()]).await
}
