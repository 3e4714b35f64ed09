//! What kind of workspace the scenarios work in, where that is not the usual one, and which scenarios cannot hold there
//! for a reason of the server (docs/conformance.md).

use std::env::var;

/// The kinds of a workspace that `CEC_TEST_FACE` names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Face(Vec<String>);

/// Every kind that there is.
const KINDS: [&str; 4] = ["encrypted", "structured", "cell", "proxy"];

/// Why a scenario is left out.
struct Exception {
    face: &'static str,
    reason: &'static str,
    scenarios: &'static [&'static str],
}

const EXCEPTIONS: [Exception; 8] = [
    Exception {
        face: "encrypted",
        reason: "ETags are those of what is stored, which is encrypted",
        scenarios: &[
            "multipart::a_finished_upload_is_gone",
            "multipart::a_pending_overwrite_leaves_the_old_content",
            "multipart::a_pending_upload_shows_as_a_temporary_node",
            "multipart::a_wrong_list_of_parts_is_refused_and_the_upload_lives_on",
            "multipart::an_aborted_upload_leaves_nothing",
            "multipart::parts_are_never_listed_but_the_upload_is_known",
            "multipart::parts_become_a_file",
            "multipart::parts_may_come_in_any_order_and_again",
            "multipart::small_parts_are_refused_at_the_end",
            "multipart::the_client_uploads_in_parts",
            "multipart::the_hash_of_parts_of_ten_mebibytes_is_the_etag",
            "objects::a_write_is_answered_with_the_digest_of_the_content",
            "objects::the_client_writes_and_reads",
            "s3_list::a_folder_is_listed_with_its_hidden_names",
            "s3_list::the_client_lists_a_folder",
            "tree::a_file_is_described_whole_as_soon_as_it_is_written",
            "tree::the_client_reads_all_kinds_of_nodes",
        ],
    },
    Exception {
        face: "encrypted",
        reason: "of an empty file no content is found",
        scenarios: &["objects::a_new_version_keeps_the_node", "tree::an_empty_file_has_no_size"],
    },
    Exception {
        face: "structured",
        reason: "the index learns of a change only some time later",
        scenarios: &[
            "create::a_file_is_overwritten_without_a_word",
            "create::names_end_at_255_characters",
            "listing::a_listing_can_be_sorted_and_filtered",
            "listing::children_of_a_file_are_none_and_of_nothing_an_error",
            "listing::odd_paths_have_odd_answers",
            "multipart::a_file_can_be_written_while_an_upload_is_pending",
            "multipart::a_finished_upload_is_gone",
            "multipart::a_pending_overwrite_leaves_the_old_content",
            "multipart::a_pending_upload_shows_as_a_temporary_node",
            "multipart::a_wrong_list_of_parts_is_refused_and_the_upload_lives_on",
            "multipart::parts_become_a_file",
            "multipart::parts_may_come_in_any_order_and_again",
            "multipart::unknown_uploads_are_told_in_four_ways",
            "names::rest_keeps_both_forms_apart",
            "names::the_client_finds_either_form",
            "objects::a_new_version_keeps_the_node",
            "objects::a_write_is_answered_with_the_digest_of_the_content",
            "objects::conditions_hold_for_head_alone",
            "objects::headers_say_what_the_content_is",
            "objects::the_client_writes_and_reads",
            "s3_list::a_folder_is_listed_with_its_hidden_names",
            "s3_list::the_client_lists_a_folder",
            "tree::a_file_is_described_whole_as_soon_as_it_is_written",
            "tree::an_empty_file_has_no_size",
            "tree::the_client_reads_all_kinds_of_nodes",
        ],
    },
    Exception {
        face: "structured",
        reason: "the storage has folders of its own, and is asked before the index",
        scenarios: &[
            "create::a_folder_below_a_file_is_let_through",
            "create::files_and_folders_do_not_replace_each_other",
            "create::the_first_failure_stops_and_what_came_before_stays",
            "multipart::an_aborted_upload_leaves_nothing",
            "names::a_decomposed_name_is_composed_by_the_gateway_and_its_content_lost",
            "names::parts_of_a_decomposed_name_find_no_upload",
            "objects::a_child_of_a_file_is_let_through",
            "objects::a_file_does_not_replace_a_folder",
            "objects::a_folder_is_no_object",
            "objects::too_long_and_broken_names_are_failures_of_the_server",
            "objects::what_does_not_exist_cannot_be_written_to",
            "objects::what_the_gateway_lacks_is_not_implemented",
        ],
    },
    Exception {
        face: "cell",
        reason: "the folders of a cell are no places to write to",
        scenarios: &["create::the_root_of_a_workspace_is_given_back", "create::the_client_makes_folders"],
    },
    Exception {
        face: "cell",
        reason: "a cell has no recycle bin of its own",
        scenarios: &[
            "archives::a_restored_node_is_where_its_job_says",
            "engine::a_file_in_the_way_of_a_folder_is_put_aside_under_force",
        ],
    },
    Exception {
        face: "cell",
        reason: "it is a workspace of another scope",
        scenarios: &["listing::the_workspaces_are_the_children_of_the_root"],
    },
    Exception {
        face: "proxy",
        reason: "the proxy answers or changes the request itself",
        scenarios: &[
            "archives::a_run_of_the_servers_own_job_is_heard_by_whoever_set_it_off",
            "archives::the_end_of_a_job_is_heard_before_it_is_written_down",
            "jobs::a_missing_parameter_closes_the_connection",
            "objects::an_unknown_length_is_refused",
            "objects::headers_say_what_the_content_is",
        ],
    },
];

impl Face {
    /// As the environment names it: kinds with commas between them.
    pub(crate) fn from_environment() -> Self {
        let named = var("CEC_TEST_FACE").unwrap_or_default();
        let kinds: Vec<String> =
            named.split(',').map(|kind| kind.trim().to_owned()).filter(|kind| !kind.is_empty()).collect();
        for kind in &kinds {
            assert!(KINDS.contains(&kind.as_str()), "CEC_TEST_FACE: '{kind}' is none of {KINDS:?}");
        }
        Self(kinds)
    }

    /// Why a scenario, named as `theme::scenario`, cannot hold here.
    pub(crate) fn exception(&self, scenario: &str) -> Option<&'static str> {
        let exceptions = EXCEPTIONS.iter().filter(|exception| self.0.iter().any(|kind| kind == exception.face));
        exceptions
            .into_iter()
            .find(|exception| exception.scenarios.contains(&scenario))
            .map(|exception| exception.reason)
    }
}
