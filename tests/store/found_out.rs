//! The contract can fail: each case finds out a store that breaks its promise.

use std::collections::{HashMap, HashSet};
use std::future::ready;
use std::panic::{AssertUnwindSafe, UnwindSafe, catch_unwind};
use std::time::Duration;

use recount::Store;
use recount::log::{Expected, NewEvent, StreamId};
use recount::testing::contract::{self, Making};

use crate::broken::{Broken, Fault};

/// Each fault, and the cases that find it out. Every case of the contract stands here.
const FAULTS: &[(Fault, &[&str])] = &[
    (
        Fault::IgnoresExpectations,
        &["each_expectation_holds_where_it_should_and_nowhere_else"],
    ),
    (
        Fault::ChecksEachPartByItself,
        &[
            "a_conflict_in_a_later_part_names_its_stream_and_counts_the_parts_before",
            "later_parts_of_a_batch_see_earlier_ones",
        ],
    ),
    (
        Fault::ChecksAndWritesLater,
        &["of_racing_writers_exactly_one_wins_each_version"],
    ),
    (
        Fault::SkipsPartsWithoutEvents,
        &[
            "an_append_without_events_writes_nothing_and_still_checks",
            "of_two_that_check_what_the_other_writes_one_is_refused",
        ],
    ),
    (
        Fault::WritesPartByPart,
        &["several_streams_are_written_together_or_not_at_all"],
    ),
    (
        Fault::WritesEventByEvent,
        &["a_dropped_append_leaves_all_of_its_events_or_none"],
    ),
    (
        Fault::KeepsSomeOfWhatItRefuses,
        &["a_refused_append_changes_nothing"],
    ),
    (
        Fault::IsPoisonedByARefusal,
        &["within_a_group_each_append_keeps_its_own_outcome"],
    ),
    (
        Fault::NeedsStreamsInOrder,
        &["batches_over_the_same_streams_in_any_order_all_come_through"],
    ),
    (
        Fault::ConflictsWithoutTheVersion,
        &["a_conflict_names_the_stream_what_was_expected_and_what_is_there"],
    ),
    (
        Fault::PositionOfTheFirstEvent,
        &["an_append_returns_the_version_and_the_position_of_its_last_event"],
    ),
    (
        Fault::TellsTheWholeLogsHead,
        &[
            "an_append_without_events_returns_the_position_that_the_tenant_sees",
            "what_a_tenant_is_told_is_the_same_whether_others_have_data_or_not",
        ],
    ),
    (
        Fault::LosesTheLastEvent,
        &["a_batch_is_seen_whole_or_not_at_all"],
    ),
    (
        Fault::LosesWhatIsBeyondAThousand,
        &["five_thousand_events_are_one_batch"],
    ),
    (
        Fault::RefusesIdsThatDoNotRise,
        &["what_no_store_can_keep_is_refused_with_its_reason"],
    ),
    (
        Fault::RefusesLargePayloads,
        &["a_payload_of_16_mib_is_stored_and_read"],
    ),
    (
        Fault::NormalisesJson,
        &[
            "everything_of_an_event_comes_back_as_it_went_in",
            "its_state_comes_back_as_it_went_in",
            "a_state_comes_back_as_it_went_in_and_may_be_missing",
        ],
    ),
    (
        Fault::KeepsMilliseconds,
        &["times_are_kept_to_the_microsecond_and_do_not_order_the_log"],
    ),
    (Fault::CutsLongNames, &["odd_names_are_kept_as_they_are"]),
    (
        Fault::FoldsCase,
        &["names_that_look_alike_are_different_streams"],
    ),
    (
        Fault::ForgetsIds,
        &["the_same_batch_at_once_is_written_once"],
    ),
    (
        Fault::RemembersRefusedIds,
        &["ids_of_a_refused_append_are_still_free"],
    ),
    (
        Fault::ComparesNoContent,
        &[
            "known_ids_with_other_content_are_an_error_and_never_a_conflict",
            "two_known_batches_are_not_one",
        ],
    ),
    (
        Fault::ComparesTimesAndMetadata,
        &["times_and_metadata_do_not_matter_and_stay_as_they_were_at_first"],
    ),
    (
        Fault::ComparesParts,
        &["how_its_events_are_divided_into_parts_does_not_matter"],
    ),
    (
        Fault::AnswersARetryWithItsFirstParts,
        &[
            "how_its_events_are_divided_into_parts_does_not_matter",
            "a_part_that_only_checks_may_come_or_go_and_says_what_is_there_now",
        ],
    ),
    (
        Fault::AsksConditionsFirst,
        &[
            "it_is_recognised_whatever_the_condition",
            "a_check_that_no_longer_holds_is_not_asked_of_a_batch_that_is_known",
        ],
    ),
    (
        Fault::AnswersARetryWithTheLatest,
        &[
            "the_same_batch_again_returns_the_first_result",
            "a_unit_of_work_again_returns_each_streams_first_version",
        ],
    ),
    (
        Fault::TellsDuplicatesAsConflicts,
        &["an_id_in_two_batches_at_once_is_taken_by_one"],
    ),
    (
        Fault::HolesInVersions,
        &["versions_are_dense_and_agree_with_positions_whoever_writes"],
    ),
    (
        Fault::ReversesPages,
        &["an_event_that_was_not_waited_for_is_delivered_once"],
    ),
    (
        Fault::SaysTooEarlyThatAPageIsTheLast,
        &[
            "a_page_that_was_not_waited_for_is_read_by_the_next_call",
            "a_read_that_is_under_way_goes_on_into_what_is_appended_meanwhile",
        ],
    ),
    (
        Fault::IgnoresTheBytesOfPages,
        &["a_page_of_large_events_ends_early_and_the_read_goes_on"],
    ),
    (
        Fault::IgnoresLimits,
        &["every_kind_of_read_and_their_mixes_agree_with_a_filter"],
    ),
    (
        Fault::IgnoresAfterWhenBackwards,
        &["every_kind_of_read_and_their_mixes_agree_with_a_filter"],
    ),
    (
        Fault::AnswersFromAReplica,
        &["what_was_appended_is_read_at_once_by_every_handle"],
    ),
    (
        Fault::CommitsOutOfOrder,
        &["a_reader_that_goes_on_never_misses_and_never_sees_late"],
    ),
    (
        Fault::KnowsFewNames,
        &["kinds_are_found_however_rare_common_or_many_they_are"],
    ),
    (
        Fault::IgnoresCategories,
        &["every_kind_of_read_and_their_mixes_agree_with_a_filter"],
    ),
    (
        Fault::IgnoresVersions,
        &["a_long_stream_is_read_page_by_page_in_both_directions"],
    ),
    (
        Fault::LeavesOutMoreThanContext,
        &["with_less_detail_the_same_events_are_read"],
    ),
    (
        Fault::HeadIsAhead,
        &["the_head_is_the_position_of_the_last_event"],
    ),
    (
        Fault::CountsEachNameOnce,
        &["statistics_count_events_streams_and_names"],
    ),
    (
        Fault::LosesSnapshots,
        &["of_many_saved_at_once_the_newest_is_kept"],
    ),
    (
        Fault::KeepsTheLastSnapshot,
        &["a_newer_snapshot_replaces_an_older_one_and_never_the_other_way"],
    ),
    (
        Fault::IgnoresShapes,
        &["one_of_another_shape_is_not_found_and_gives_way_to_any"],
    ),
    (
        Fault::DeletesAllSnapshots,
        &["deleting_counts_them_by_category_and_touches_no_event"],
    ),
    (
        Fault::SavesAnyCheckpoint,
        &[
            "a_checkpoint_is_saved_only_by_who_knows_its_last_revision",
            "of_many_who_save_at_once_one_wins_each_revision",
            "who_lost_a_lease_cannot_save",
        ],
    ),
    (
        Fault::GivesALeaseToAll,
        &[
            "a_lease_is_had_by_one_at_a_time",
            "a_lease_stays_while_its_holder_saves",
            "of_many_who_ask_at_once_one_has_the_lease",
        ],
    ),
    (
        Fault::LeasesNeverEnd,
        &[
            "a_lease_that_is_given_back_is_free_at_once",
            "a_lease_passes_on_when_its_time_is_over",
        ],
    ),
    (
        Fault::RenewsWithANewRevision,
        &["a_lease_whose_time_is_over_is_renewed_when_nobody_took_it"],
    ),
    (
        Fault::LeasesLoseTheCheckpoint,
        &["a_lease_leaves_position_and_state_as_they_are"],
    ),
    (
        Fault::LosesDeadLetters,
        &["what_is_set_aside_is_kept_with_the_checkpoint_and_listed_by_position"],
    ),
    (
        Fault::SetsAsideWhatItRefuses,
        &["a_refused_save_sets_nothing_aside_and_settles_nothing"],
    ),
    (
        Fault::SettlesNothing,
        &["what_is_settled_is_set_aside_no_more"],
    ),
    (
        Fault::KeepsTheFirstDeadLetter,
        &[
            "one_of_the_same_position_is_replaced",
            "those_that_are_to_be_tried_again_or_dropped_raise_the_revision",
        ],
    ),
    (
        Fault::EndsNoVersions,
        &["other_versions_end_when_a_save_says_so"],
    ),
    (
        Fault::TellsRevisionsTheOtherWayRound,
        &["who_is_refused_is_told_both_revisions"],
    ),
    (
        Fault::IgnoresReleases,
        &[
            "projections_and_their_releases_keep_their_checkpoints_side_by_side",
            "each_version_of_a_projection_has_a_lease_of_its_own",
        ],
    ),
    (
        Fault::NeverCloses,
        &[
            "a_closed_store_answers_each_call_with_an_error",
            "what_is_under_way_when_a_store_is_closed_ends_and_is_told_the_truth",
        ],
    ),
    (
        Fault::CallsAClosedLogDamaged,
        &["a_closed_store_answers_each_call_with_an_error"],
    ),
    (Fault::ClosesOnce, &["a_store_may_be_closed_again"]),
    (
        Fault::IgnoresTenantsOfStreams,
        &[
            "the_same_id_in_two_tenants_is_two_streams",
            "tenants_whose_names_look_alike_are_different",
        ],
    ),
    (
        Fault::ReadsAllTenants,
        &[
            "every_kind_of_query_reads_the_tenants_own_only",
            "a_query_and_a_stream_cannot_name_another_tenant",
        ],
    ),
    (
        Fault::CountsAllTenants,
        &["counts_and_heads_stay_within_the_tenant"],
    ),
    (
        Fault::HidesTenantsFromAll,
        &["a_handle_that_is_bound_to_no_tenant_sees_all"],
    ),
    (
        Fault::IdsAreUniqueInAllTenants,
        &["the_ids_of_another_tenants_events_can_be_neither_guessed_nor_blocked"],
    ),
    (
        Fault::LooksForIdsInTheHandlesTenant,
        &["an_event_is_known_in_its_streams_tenant_through_whichever_handle_it_comes"],
    ),
    (
        Fault::SnapshotsOfTenantsAreShared,
        &["snapshots_of_tenants_stand_apart"],
    ),
    (
        Fault::CheckpointsOfTenantsAreShared,
        &["checkpoints_of_tenants_stand_apart"],
    ),
    (
        Fault::NeverWakes,
        &[
            "whoever_waits_is_woken_by_an_append_through_any_handle",
            "an_append_between_making_a_watch_and_waiting_wakes",
            "a_wait_that_was_dropped_loses_no_wake_up",
        ],
    ),
    (
        Fault::WakesBeforeItWrites,
        &["a_reader_that_is_woken_finds_what_it_was_woken_for"],
    ),
    (
        Fault::WakesWhoeverReads,
        &["who_watches_an_idle_store_sleeps"],
    ),
    (
        Fault::LeavesWhoWaitsWhenItCloses,
        &["closing_a_store_wakes_whoever_waits"],
    ),
];

/// An empty store with this fault.
fn with(fault: Fault) -> impl FnOnce() -> Making + Send + UnwindSafe {
    move || contract::fresh(move || ready(Store::new(Broken::new(fault))))
}

/// What a call panics with, if it does.
fn panic_of(call: impl FnOnce() + UnwindSafe) -> Option<String> {
    let panic = catch_unwind(call).err()?;
    Some(match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().expect("a text")).to_owned(),
    })
}

#[test]
fn each_case_finds_out_a_store_that_breaks_its_promise() {
    let cases: HashMap<_, _> = contract::cases().copied().collect();
    let mut unproven: HashSet<_> = cases.keys().collect();
    for (fault, names) in FAULTS {
        for name in *names {
            let (name, case) = cases.get_key_value(name).expect("a case");
            let found_out = panic_of(|| contract::run(name, with(*fault), *case));
            let message = found_out.unwrap_or_else(|| panic!("{name} does not find out {fault:?}"));
            println!("{fault:?} is found out: {name}: {message}");
            unproven.remove(name);
        }
    }
    assert!(unproven.is_empty(), "no store breaks {unproven:?}");
}

#[test]
fn what_is_found_out_is_told_as_what_the_store_did_and_should_have_done() {
    for (fault, name, told) in [
        (
            Fault::SkipsPartsWithoutEvents,
            "an_append_without_events_writes_nothing_and_still_checks",
            "the append succeeded, but it should fail: the stream has no event",
        ),
        (
            Fault::RefusesLargePayloads,
            "a_payload_of_16_mib_is_stored_and_read",
            "the append failed, but it should succeed\n   error: the store broken: did not take the append, nothing was written; append the same batch again: it does not feel like it",
        ),
        (
            Fault::TellsDuplicatesAsConflicts,
            "two_known_batches_are_not_one",
            "the append failed with another error than a duplicate: its events were two batches",
        ),
        (
            Fault::NormalisesJson,
            "everything_of_an_event_comes_back_as_it_went_in",
            "the store does not keep this: a payload comes back byte by byte\n   found: \"{\\\"big\\\"",
        ),
        (
            Fault::LosesTheLastEvent,
            "a_long_stream_is_read_page_by_page_in_both_directions",
            "180 were found and 210 wanted; the first that differs, number 181, is\n   found: nothing\n  wanted: 181",
        ),
    ] {
        let mut cases = contract::cases();
        let (_, case) = cases.find(|(known, _)| *known == name).expect("a case");
        let message = panic_of(|| contract::run(name, with(fault), *case)).unwrap_or_default();
        assert!(message.contains(told), "{name}: {message}");
    }
}

#[test]
fn without_a_fault_the_same_store_keeps_the_contract() {
    for (name, case) in contract::cases() {
        contract::run(name, with(Fault::None), *case);
    }
}

#[test]
fn a_store_that_never_answers_is_told_by_the_name_of_the_case_and_not_tried_for_ever() {
    let (name, case) = contract::cases().next().expect("a case");
    // A type of its own, so that no other test's stores are said to hang.
    let made = || with(Fault::NeverAnswers)();
    let hang = || panic_of(|| contract::run_within(Duration::from_millis(10), name, made, *case));
    for told in ["hangs", "hangs", "was not tried"] {
        let message = hang().expect("a failure");
        assert!(
            message.contains(told) && message.contains(name),
            "{message}"
        );
    }
    contract::run(name, with(Fault::None), *case);
}

#[tokio::test]
async fn a_store_that_is_not_made_as_cases_need_it_is_told_as_its_makers_mistake() {
    let shared = crate::plain::empty().await;
    let stream = StreamId::new("account", "a").unwrap();
    let event = NewEvent::json("Left", 1, &"behind").unwrap();
    let appended = shared.append(&stream, Expected::Any, [event]).await;
    appended.unwrap();
    let closed = crate::plain::empty().await;
    closed.clone().close().await.unwrap();
    let bound = shared.for_tenant("acme").unwrap();
    let (name, case) = contract::cases().next().expect("a case");
    for (made, told) in [
        (shared, "already holds events"),
        (closed, "cannot be read"),
        (bound, "bound to tenant acme"),
    ] {
        let make = AssertUnwindSafe(|| contract::fresh(|| ready(made)));
        let message = panic_of(|| contract::run(name, { make }.0, *case)).expect("a failure");
        assert!(
            message.contains("store_contract!") && message.contains(told),
            "{message}"
        );
    }
}
