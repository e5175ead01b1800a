//! The list of the steps of the tables.

use crate::db::Migration;

/// All, in order.
pub const ALL: &[Migration] = &[
    Migration {
        version: 1,
        name: "create tables",
        sql: include_str!("../migrations/0001_create_tables.sql"),
    },
    Migration {
        version: 2,
        name: "index transfers in trees",
        sql: include_str!("../migrations/0002_index_transfers_in_trees.sql"),
    },
    Migration {
        version: 3,
        name: "create people",
        sql: include_str!("../migrations/0003_create_people.sql"),
    },
    Migration {
        version: 4,
        name: "create rollups",
        sql: include_str!("../migrations/0004_create_rollups.sql"),
    },
    Migration { version: 5, name: "fill rollups", sql: FILL_ROLLUPS },
    Migration { version: 6, name: "create works", sql: include_str!("../migrations/0006_create_works.sql") },
    Migration { version: 7, name: "seal secrets", sql: include_str!("../migrations/0007_seal_secrets.sql") },
    Migration {
        version: 8,
        name: "lock by operator",
        sql: include_str!("../migrations/0008_lock_by_operator.sql"),
    },
    Migration {
        version: 9,
        name: "give price lists owners",
        sql: include_str!("../migrations/0009_give_price_lists_owners.sql"),
    },
    Migration {
        version: 10,
        name: "create limits",
        sql: include_str!("../migrations/0010_create_limits.sql"),
    },
    Migration {
        version: 11,
        name: "keep price history",
        sql: include_str!("../migrations/0011_keep_price_history.sql"),
    },
    Migration {
        version: 12,
        name: "share wallets",
        sql: include_str!("../migrations/0012_share_wallets.sql"),
    },
];

/// Sums up the statistics; see [`crate::rollups::rebuild`].
pub const FILL_ROLLUPS: &str = include_str!("../migrations/0005_fill_rollups.sql");
