//! Contenders of other libraries.

mod by_hand;
mod cqrs_es;
mod esrs;
mod eventcore;
mod evento;
mod pool;

use contest::by_hand::ByHand;
use contest::entry;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let theirs = [
        entry::<cqrs_es::OnSqlite>(),
        entry::<eventcore::OnSqlite>(),
        entry::<evento::OnSqlite>(),
        entry::<cqrs_es::OnPostgres>(),
        entry::<eventcore::OnPostgres>(),
        entry::<esrs::OnPostgres>(),
        entry::<ByHand<by_hand::Postgres>>(),
    ];
    contest::main(&theirs, &arguments);
}
