//! A store that fails when it is told to.

use super::*;

#[tokio::test]
async fn a_fault_that_nothing_met_is_told() {
    let faults = Faults::new();
    let store = faults.around(&Store::connect("memory:").await.unwrap());
    faults
        .next(Operation::Append, Fault::Fail)
        .next(Operation::Head, Fault::Fail);
    assert!(store.head().await.is_err());
    let text = failure(|| faults.assert_all_met());
    assert!(text.contains("[Fail] at Append never happened"), "{text}");
    faults.stop();
    faults.assert_all_met();
    for refused in [
        Box::new(|| _ = Faults::seeded(1, 2.0)) as Box<dyn FnOnce()>,
        Box::new(|| _ = Faults::seeded(1, f64::NAN)),
        Box::new(|| _ = Faults::seeded_with(1, 0.5, [])),
    ] {
        failure(refused);
    }
    let only_heads = Faults::seeded_with(1, 1.0, [Fault::Fail]).at([Operation::Head]);
    let store = only_heads.around(&store);
    assert!(store.stats().await.is_ok() && store.head().await.is_err());
}
