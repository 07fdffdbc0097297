//! Hostile inputs: where the tests of each class are. This text is checked: every test that it names exists.
//!
//! What the fuzzers cover besides stands in `tests/promises`: any bytes as token, key set, configuration, list, slot,
//! header map, query, path, headers, body and whole request. `tests/fuzz/corpus` holds what they found.
//!
//! # Token place and syntax
//!
//! - two `Authorization` headers, in either order, also while keys cannot be fetched
//!   - `tests/it/jwt/presentation.rs`: `credentials_in_another_form_or_twice_are_refused`,
//!     `two_authorization_headers_are_refused_while_keys_cannot_be_had`
//!   - `src/http/head/tests.rs`: `two_authorization_headers_are_malformed_in_either_order`
//! - a comma in a credential; two schemes; quotes; spaces and tabs; any case of the scheme; a token in the query or a
//!   cookie
//!   - `tests/it/jwt/presentation.rs`: `credentials_in_another_form_or_twice_are_refused`
//!   - `src/http/head/tests.rs`: `anything_but_one_bearer_token_is_malformed`, `bearer_token_is_read`
//! - bytes that are not UTF-8, in any header
//!   - `tests/it/jwt/presentation.rs`: `bytes_that_are_not_utf8_trap_nothing`
//!   - `src/http/head/tests.rs`: `any_bytes_are_read_without_a_panic`
//! - other than three segments; dots at either end
//!   - `src/credentials/jwt/jose/tests.rs`: `other_than_three_segments_are_refused`
//! - a token at the cap, one over, 60 KiB
//!   - `tests/it/jwt/presentation.rs`: `size_of_tokens_is_capped_before_anything_else`
//!   - `src/credentials/jwt/jose/tests.rs`: `size_is_capped_before_anything_else`
//! - base64url that is not canonical
//!   - `src/credentials/jwt/jose/tests.rs`: `base64url_must_be_canonical`
//!   - `tests/it/jwt/claims.rs`: `hostile_tokens_are_refused_and_odd_ones_pass`
//!
//! # JOSE header
//!
//! - `none`; `alg` missing or of another type; a public key as secret
//!   - `src/credentials/jwt/jose/tests.rs`: `alg_is_one_of_the_known_names`
//!   - `src/credentials/jwt/signature/tests/forgery.rs`: `public_key_is_no_secret`
//!   - `tests/it/jwt.rs`: `public_keys_are_no_secrets`
//!   - `tests/it/jwt/claims.rs`: `hostile_tokens_are_refused_and_odd_ones_pass`
//! - `alg` that is not the key's; a key without one
//!   - `src/credentials/jwt/keyset/tests.rs`: `key_is_selected_by_kid_and_alg`,
//!     `key_without_alg_has_the_one_that_practice_means`
//!   - `src/credentials/jwt/signature/tests.rs`: `job_refuses_a_key_of_another_algorithm`,
//!     `signature_of_one_algorithm_is_none_of_another`
//! - `jwk`, `jku`, `x5u`, `x5c`; `crit`, `b64`
//!   - `src/credentials/jwt/jose/tests.rs`: `extensions_are_refused_and_embedded_keys_ignored`
//!   - `src/credentials/jwt/signature/tests/forgery.rs`: `embedded_key_is_not_used`
//!   - `tests/it/jwt/claims.rs`: `keys_that_a_token_brings_along_are_never_fetched`
//! - `kid` as path, SQL, NUL, 10 KiB, number, object; none with several keys
//!   - `src/credentials/jwt/jose/tests.rs`: `kid_is_a_bounded_string`
//!   - `src/credentials/jwt/keyset/tests.rs`: `key_is_selected_by_kid_and_alg`
//!   - `tests/it/jwt.rs`: `kid_chooses_the_key`
//! - duplicate members, also escaped; trailing bytes; a byte order mark; bad UTF-8; deep nesting; many members
//!   - `src/credentials/jwt/jose/tests.rs`: `header_and_payload_are_strict_json_objects`
//!   - `src/values/json/tests.rs`: `duplicate_members_are_refused_at_any_depth`,
//!     `everything_around_one_document_is_refused`, `nesting_is_bounded`,
//!     `members_and_elements_are_bounded_together`
//!   - `tests/promises/src/replay.rs`: `corpus_breaks_no_promise`
//!
//! # Signatures and keys
//!
//! - every bit flip and truncation, every algorithm
//!   - `src/credentials/jwt/signature/tests.rs`: `every_flipped_bit_of_a_signature_is_refused`,
//!     `every_truncation_and_extension_of_a_signature_is_refused`
//!   - `tests/it/vectors/damage.rs`: `damaged_signatures_are_refused`, `envoy_refuses_damaged_signatures`
//! - ECDSA: r or s of 0, n-1, n; DER where raw is due; a wrong length; a high s
//!   - `src/credentials/jwt/signature/tests/forgery.rs`: `ecdsa_numbers_out_of_range_are_refused`, `high_s_is_valid`
//!   - `tests/it/vectors/wycheproof.rs`: `ecdsa_signatures_are_judged_right`, `envoy_judges_signatures_right`
//! - RSA: a signature from n on; padding; salt and mask of PSS; short keys; odd exponents
//!   - `src/credentials/jwt/signature/tests/forgery.rs`: `rsa_numbers_out_of_range_are_refused`,
//!     `variants_of_pkcs1_padding_are_refused`, `other_salts_and_masks_of_pss_are_refused`
//!   - `src/credentials/jwt/keyset/tests/numbers.rs`: `rsa_numbers_are_checked`
//!   - `tests/it/vectors/wycheproof.rs`: `rsa_pkcs1_signatures_are_judged_right`,
//!     `rsa_pss_signatures_are_judged_right`
//! - Ed25519: S from L on, points of small order; EC points off the curve; short HMAC secrets
//!   - `src/credentials/jwt/signature/tests/forgery.rs`: `ed25519_is_strict`
//!   - `src/credentials/jwt/keyset/tests/numbers.rs`: `ed25519_points_of_small_order_or_in_a_second_spelling_are_refused`,
//!     `points_are_on_their_curve`
//!   - `src/credentials/jwt/keyset/tests.rs`: `secrets_are_long_enough_and_never_come_from_the_network`
//!   - `tests/it/vectors/wycheproof.rs`: `ed25519_signatures_are_judged_right`, `hmac_tags_are_judged_right`
//! - keys for another purpose; secrets from the network; a `kid` twice
//!   - `src/credentials/jwt/keyset/tests.rs`: `key_for_another_purpose_is_not_used`,
//!     `secrets_are_long_enough_and_never_come_from_the_network`, `duplicate_kid_is_excluded`
//!
//! # Claims
//!
//! - `exp` missing, odd, exactly now; `nbf` and `iat` in the future
//!   - `src/credentials/jwt/claims/tests/dates.rs`: `exp_is_required_and_a_date`, `expiry_is_exact_to_the_microsecond`,
//!     `nbf_and_iat_are_not_in_the_future`
//!   - `tests/it/jwt/claims.rs`: `hostile_tokens_are_refused_and_odd_ones_pass`
//! - `aud` of every shape; `iss` almost right
//!   - `src/credentials/jwt/claims/tests.rs`: `audience_is_judged_where_configured`, `issuer_is_compared_byte_by_byte`
//!   - `tests/it/jwt.rs`: `audience_must_be_one_of_ours`
//! - two issuers with one `kid`; a cached token that expires or whose key goes
//!   - `src/filter/request/tests/rotation.rs`: `keys_of_one_issuer_verify_no_token_of_another`,
//!     `withdrawn_key_ends_cached_callers`
//!   - `src/filter/request/tests/cache.rs`: `cached_token_expires`
//!   - `tests/it/jwt.rs`: `issuers_are_strangers_to_each_other`,
//!     `cached_token_is_refused_from_the_second_it_expires`, `key_that_left_the_key_set_takes_its_tokens_along`
//! - schools missing, of another type, `*`, 100,000 of them; values that could break a header
//!   - `src/credentials/jwt/claims/tests.rs`: `schools_are_a_list_of_plain_values`, `number_of_schools_is_bounded`,
//!     `accepted_values_are_harmless_in_headers`
//!   - `tests/it/jwt/claims.rs`: `hostile_tokens_are_refused_and_odd_ones_pass`
//!
//! # API keys
//!
//! - one byte off, empty, 64 KiB, not ASCII, doubled, folded
//!   - `tests/it/api_keys.rs`: `key_that_is_missing_wrong_or_doubled_is_refused_whatever_the_token`
//!   - `src/credentials/api_key/tests.rs`: `header_must_stand_once_in_one_spelling`, `key_is_found_by_its_hash`
//! - one key under two clients
//!   - `src/credentials/api_key/tests.rs`: `bad_lists_are_refused_whole`
//!   - `src/config/tests/student.rs`: `bad_keys_are_refused`
//!
//! # Scope
//!
//! - queries: repeated, encoded once or twice, folded, nested, cut, bad escapes, 10,000 parameters, missing
//!   - `src/http/query/tests.rs`: `names_that_servers_fold_to_the_protected_one_are_ambiguous`,
//!     `values_that_servers_read_differently_are_refused`, `parameters_and_values_are_bounded`
//!   - `src/policy/scope/tests.rs`: `no_server_reads_a_school_that_was_not_granted`
//!   - `tests/promises/src/bypass.rs`: `no_query_is_read_otherwise_by_a_server`,
//!     `no_query_is_read_otherwise_by_a_real_parser`
//!   - `tests/it/scope.rs`: `schools_in_the_query_are_judged`
//!   - `tests/it/bypass.rs`: `queries_that_reach_the_upstream_are_in_scope_for_every_server`
//! - paths: dots, `;`, `//`, `%2f`, backslash, bad escapes, suffixes, sessions, on open routes too; no `:path`
//!   - `src/http/path/tests.rs`: `dot_segments_are_refused_in_every_encoding`, `separators_are_refused`,
//!     `bad_escapes_are_refused`, `empty_segments_are_refused`, `sessions_in_place_of_cookies_are_refused`
//!   - `src/policy/route/tests.rs`: `path_that_may_fall_under_an_earlier_route_is_refused`,
//!     `script_does_not_lead_around_an_earlier_route`
//!   - `src/filter/request/tests/denials.rs`: `malformed_heads_are_refused`
//!   - `tests/promises/src/bypass.rs`: `no_path_is_read_otherwise_by_a_server`
//!   - `tests/it/scope.rs`: `paths_with_two_readings_are_refused_on_every_route`,
//!     `normalized_paths_are_judged_as_envoy_routes_them`
//!   - `tests/it/bypass.rs`: `paths_that_reach_the_upstream_are_those_that_were_judged`
//! - overrides of path and method, by header, query or form
//!   - `src/http/strip/tests.rs`: `overrides_of_path_and_method_are_removed`, `what_tells_of_the_body_has_one_spelling`
//!   - `src/http/query/tests.rs`: `method_overrides_are_seen`
//!   - `src/filter/request/tests/denials.rs`: `method_that_the_query_overrides_is_refused_on_every_route`
//!   - `src/policy/scope/tests/overrides.rs`: `body_of_a_get_is_refused_where_the_query_is_judged`,
//!     `query_may_not_name_the_variable_of_the_path`, `charset_in_which_the_query_reads_otherwise_is_refused`,
//!     `header_of_a_missing_parameter_is_ambiguous`
//! - overrides of the host, where routes name hosts
//!   - `src/http/strip/tests.rs`: `overrides_of_the_host_are_removed_where_hosts_are_judged`
//!   - `tests/it/headers.rs`: `forbidden_headers_are_stripped_in_every_spelling_and_case`
//!   - `tests/it/scope.rs`: `what_may_override_query_or_path_is_refused`
//!   - `tests/it/body_scope.rs`: `neither_query_nor_method_gets_around_the_body`
//! - bodies: duplicate members, a mark, two documents, other types, decoys, content types, gzip
//!   - `src/http/body/tests.rs`: `what_servers_read_differently_is_malformed`,
//!     `other_types_and_codings_are_unsupported`, `ids_that_are_read_are_those_of_the_document`
//!   - `tests/promises/src/bypass.rs`: `no_body_is_read_otherwise_by_a_server`
//!   - `tests/it/body_scope/strict_reading.rs`: `body_that_servers_may_read_in_two_ways_is_refused`
//!   - `tests/it/bypass.rs`: `bodies_that_reach_the_upstream_are_in_scope_for_every_server`
//! - bodies: over the cap, in one-byte pieces, none, ended by an empty frame or trailers, slow
//!   - `tests/it/body_scope/strict_reading.rs`: `body_over_the_cap_is_refused_as_soon_as_it_is_known`
//!   - `tests/it/body_scope/pieces.rs`: `countless_pieces_of_bodies_and_heads_are_judged_as_one_or_end_their_connection`
//!   - `tests/it/body_scope/framing.rs`: `body_is_judged_however_it_is_framed`,
//!     `slow_body_is_waited_for_and_nothing_passes_meanwhile`
//!
//! # Claim headers
//!
//! - from the client: any case, many times, folded, in trailers, on open routes
//!   - `src/http/strip/tests.rs`: `claim_headers_are_removed_in_every_spelling`,
//!     `duplicates_are_all_named_as_they_are_spelled`, `trailers_say_nothing_about_what_the_head_was_judged_by`
//!   - `tests/promises/src/bypass.rs`: `no_header_is_read_otherwise_by_a_server`
//!   - `tests/it/headers.rs`: `forbidden_headers_are_stripped_in_every_spelling_and_case`,
//!     `forbidden_trailers_are_stripped`
//!   - `tests/it/headers/forwarded.rs`: `clients_cannot_tell_the_upstream_anything`
//!   - `tests/it/bypass.rs`: `headers_that_reach_the_upstream_are_the_filters_own`
//! - `Connection: x-claim-schools`, also on an upgrade; CONNECT
//!   - `src/http/strip/tests.rs`: `tunnels_and_tricks_are_hostile`
//!   - `tests/it/headers.rs`: `nominated_headers_do_not_take_claims_along`,
//!     `upgrades_pass_only_where_allowed_and_connect_nowhere`
//!   - `tests/it/tunnels.rs`: `websocket_over_http2_opens_only_where_the_route_allows_it_and_after_the_verdict`
//! - the upstream's own: the actual cost, in a head or in trailers
//!   - `tests/it/headers.rs`: `settlement_header_never_reaches_the_client`
//!   - `tests/it/cost/trailers.rs`: `cost_in_trailers_never_reaches_the_client_and_settles_nothing`
//!
//! # Limits
//!
//! - two tiers at once, keys in rotation, eviction, a reload, a clock set back
//!   - `src/limits/ledger/tests.rs`: `two_tiers_draw_on_one_budget`,
//!     `a_clock_set_back_neither_resets_nor_locks_out`, `newcomers_of_a_full_slot_share_the_overflow_budget`
//!   - `src/limits/slot/tests.rs`: `an_entry_is_dropped_only_when_all_of_it_is_cleared`
//!   - `tests/it/limits.rs`: `upgraded_client_draws_on_the_same_budget`
//!   - `tests/it/api_keys.rs`: `keys_of_one_client_share_one_budget`
//!   - `tests/it/lifecycle/reload.rs`: `reload_keeps_budgets_and_judges_a_changed_limit_anew`
//! - any number of clients in fixed memory; any bytes in shared data; clocks that jump
//!   - `src/limits/key.rs`: `slots_stay_inside_their_table`
//!   - `src/limits/slot/tests.rs`: `any_bytes_are_a_slot`
//!   - `src/limits/ledger/tests/race.rs`: `a_clock_that_jumps_in_mid_race_drains_no_more_than_it_moved`
//!   - `tests/promises/src/replay.rs`: `corpus_breaks_no_promise`
//! - races: of 10 L requests exactly L, cold and warm, on several workers
//!   - `src/limits/ledger/tests/race.rs`: `of_ten_times_the_limit_exactly_the_limit_is_admitted`
//!   - `tests/it/limits/races.rs`: `several_workers_together_admit_exactly_the_limit`,
//!     `one_worker_admits_exactly_the_limit`
//!   - `tests/it/api_keys.rs`: `race_of_a_client_over_keys_routes_and_workers_is_charged_exactly`
//! - cost 0, negative, huge, sent by the client
//!   - `src/policy/cost/tests.rs`: `what_is_no_whole_number_from_one_is_refused`, `huge_numbers_saturate`
//!   - `tests/it/cost.rs`: `requests_cost_what_they_ask_for`,
//!     `settlement_gives_back_at_most_what_was_charged`
//! - floods of invalid tokens and guessed keys
//!   - `src/limits/key.rs`: `nobody_can_tell_which_owners_share_a_slot`
//!   - `tests/it/limits/addresses.rs`: `failed_credentials_use_up_a_budget_of_the_address`,
//!     `address_is_the_one_that_a_trusted_proxy_saw_of_ipv6_its_network`
//!   - `src/filter/request/tests/cache.rs`: `bad_signature_is_checked_once_and_charged_every_time`
//!   - `tests/it/limits/authentication_failures.rs`: `guessed_keys_use_up_a_budget_of_the_address_and_of_nobody_else`
//!
//! # Keys and lists over the network
//!
//! - lists that are older, too old, or without a version
//!   - `src/credentials/fetch/tests.rs`: `version_may_not_go_back`
//!   - `tests/it/api_keys/remote_list.rs`: `bad_list_is_refused_as_a_whole_and_the_last_good_one_serves`,
//!     `missing_or_stale_list_fails_closed_and_a_new_one_opens_again`
//!   - `tests/it/revocation.rs`: `missing_or_stale_list_fails_closed_for_tokens_and_for_nothing_else`,
//!     `bad_list_keeps_what_was_revoked`
//! - a source that is down, slow, wrong, huge, endless
//!   - `tests/it/jwks/faults.rs`: `gateway_without_keys_answers_503_and_recovers_by_itself`,
//!     `refused_connection_to_the_source_is_503`, `bad_answer_of_the_source_keeps_the_last_good_keys`,
//!     `keys_serve_until_they_are_stale_and_not_longer`
//! - floods of unknown `kid`s; a real rotation in between
//!   - `src/credentials/fetch/tests.rs`: `unknown_kid_refetches_once_per_cooldown`
//!   - `tests/it/jwks.rs`: `flood_of_unknown_kids_fetches_once_per_cooldown_and_stops_nobody`,
//!     `hundred_thousand_unknown_kids_fetch_once_per_cooldown_and_stop_nobody`,
//!     `hundreds_that_wait_for_one_fetch_all_go_on_and_trap_nothing`,
//!     `rotated_keys_are_taken_over_without_a_failed_request`
//! - what is withdrawn while a body is on its way
//!   - `tests/it/revocation/during_body.rs`: `listed_token_that_is_withdrawn_during_its_body_is_refused`,
//!     `key_alone_that_is_narrowed_during_its_body_is_refused`
//! - clients that leave while they wait; two workers that fetch; answers out of order
//!   - `tests/it/abandoned_requests.rs`: `clients_that_leave_at_any_stage_are_charged_once_and_leave_nothing_behind`,
//!     `tokens_that_nobody_waits_for_stay_charged_as_guesses`
//!   - `tests/it/jwks.rs`: `requests_that_wait_for_keys_are_bounded_and_leave_no_trace`,
//!     `key_set_is_fetched_once_whatever_the_number_of_workers`
//!   - `src/credentials/fetch/tests.rs`: `first_tick_claims_and_a_second_worker_does_not`, `answer_of_a_lost_claim_is_dropped`,
//!     `answer_counts_once`
//!
//! # Configuration and lifecycle
//!
//! - no JSON, unknown fields, wrong types, duplicates, contradictions, nothing, 10 MB
//!   - `src/config/tests/documents.rs`: `what_is_no_document_is_refused`, `ten_megabytes_are_refused`,
//!     `duplicates_are_refused_at_any_depth`, `duplicates_in_a_struct_are_refused`,
//!     `every_problem_is_reported_at_once`
//!   - `src/config/tests/refused_policy.rs`: `contradictions_between_limits_of_one_name_are_refused`
//!   - `tests/it/lifecycle/guard.rs`: `check_of_a_configuration_shows_every_problem_with_its_path`
//! - a trap; a worker without the filter; a list of capabilities that forgets something
//!   - `tests/it/lifecycle/guard.rs`: `trap_ends_its_request_and_the_worker_comes_back_with_budgets_and_keys`,
//!     `guard_stops_what_a_worker_without_the_filter_lets_pass`
//!   - `tests/it/lifecycle/traps.rs`: `trap_in_any_callback_lets_nothing_pass_and_the_workers_come_back`,
//!     `trap_where_keys_are_fetched_lets_nothing_pass_and_keys_are_fetched_again`,
//!     `trap_while_the_module_is_loaded_anew_lets_nothing_pass`,
//!     `requests_that_wait_on_a_worker_that_traps_are_cut_and_none_passes`
//!   - `tests/it/capabilities.rs`: `list_that_forgets_the_request_opens_the_gateway_and_the_guard_closes_it`
//! - reloads and SIGTERM under load; clients that leave at every stage
//!   - `tests/it/lifecycle/reload.rs`: `reload_under_load_fails_no_request`,
//!     `bad_configuration_is_rejected_and_the_old_one_serves_on`
//!   - `tests/it/lifecycle/drain.rs`: `listener_and_module_replaced_under_load_lose_no_request_and_no_budget`,
//!     `requests_in_flight_are_judged_to_the_end_while_listeners_drain`,
//!     `termination_under_load_lets_nothing_pass_and_nothing_hang`
//!   - `tests/it/abandoned_requests.rs`: `clients_that_leave_at_any_stage_are_charged_once_and_leave_nothing_behind`,
//!     `login_that_nobody_waits_for_counts_as_a_failure_and_is_given_back_once_it_is_answered`
//!   - `tests/it/body_scope/framing.rs`: `client_that_leaves_midway_leaves_nothing_behind`
//! - a host that answers anything and calls anything, in any order
//!   - `tests/wasm-host/tests/wasm.rs`: `hostile_hosts_neither_trap_it_nor_get_past_it`,
//!     `memory_does_not_grow_with_requests`
//!   - `src/filter/request/tests/interleavings.rs`: `cold_token_of_known_keys`, `keys_over_the_network`,
//!     `requests_without_a_token`

use std::collections::BTreeMap;
use std::fs;

use crate::support::process::root;

/// The rows of the table above: a class, and files with the tests in each.
fn rows() -> Vec<(String, BTreeMap<String, Vec<String>>)> {
    let mut rows: Vec<(String, BTreeMap<String, Vec<String>>)> = Vec::new();
    let mut file = String::new();
    for line in include_str!("hostile.rs").lines().map_while(|line| line.strip_prefix("//!")) {
        if let Some(class) = line.strip_prefix(" - ") {
            rows.push((class.to_owned(), BTreeMap::new()));
            continue;
        }
        let Some((_, tests)) = rows.last_mut() else { continue };
        let is_test = line.starts_with("   - ") || line.starts_with("     ");
        for name in line.split('`').skip(1).step_by(2).filter(|_| is_test) {
            if name.contains('/') {
                name.clone_into(&mut file);
            } else {
                tests.entry(file.clone()).or_default().push(name.to_owned());
            }
        }
    }
    rows
}

#[test]
fn every_class_has_tests_and_all_of_them_exist() {
    let rows = rows();
    assert!(rows.len() >= 40, "{} classes", rows.len());
    for (class, files) in rows {
        assert!(!files.is_empty(), "no test: {class}");
        for (file, tests) in files {
            let source = fs::read_to_string(root().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            for test in tests {
                let is_there = source.split("#[test]").skip(1).any(|rest| {
                    // Attributes may stand between.
                    let head = rest.split('{').next().unwrap_or_default();
                    head.contains(&format!("fn {test}("))
                });
                assert!(is_there, "{file} has no test `{test}`: {class}");
            }
        }
    }
}
