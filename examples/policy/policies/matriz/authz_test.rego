package matriz.authz_test

import data.matriz.authz
import rego.v1

contract := {"identity": {
	"requires_auth": true,
	"accepted_subjects": ["harbour:user:*", "harbour:svc:billing"],
	"required_tiers": ["trusted", "inner_circle"],
	"scopes": ["billing.read", "billing.write"],
	"webauthn_required": true,
	"api_policies": [{"fn": "bill", "requires_step_up": true}],
}}

asked := {
	"subject": "harbour:user:ann",
	"tier": "trusted",
	"tier_num": 3,
	"scopes": ["billing.read", "billing.write"],
	"action": "harbour_dues",
	"env": {"mfa": false, "webauthn_verified": true},
	"contract": contract,
}

test_trusted_user_is_allowed if {
	authz.allow with input as asked
}

test_nothing_is_denied if {
	not authz.allow with input as {}
}

test_listed_service_is_allowed if {
	authz.allow with input as object.union(asked, {"subject": "harbour:svc:billing"})
}

test_other_service_is_denied if {
	not authz.allow with input as object.union(asked, {"subject": "harbour:svc:cranes"})
}

test_guest_is_denied if {
	not authz.allow with input as object.union(asked, {"tier": "guest", "tier_num": 0})
}

test_tier_that_is_not_its_number_is_denied if {
	not authz.allow with input as object.union(asked, {"tier_num": 5})
}

test_half_the_scopes_are_denied if {
	not authz.allow with input as object.union(asked, {"scopes": ["billing.read"]})
}

test_without_webauthn_is_denied if {
	not authz.allow with input as object.union(asked, {"env": {"webauthn_verified": false}})
}

test_second_factor_is_demanded if {
	not authz.allow with input as object.union(asked, {"action": "bill(call: str) -> Invoice"})
}

test_second_factor_opens if {
	authz.allow with input as object.union(asked, {"action": "bill", "env": {"mfa": true, "webauthn_verified": true}})
}

test_no_webauthn_where_none_is_required if {
	identity := object.union(contract.identity, {"webauthn_required": false})
	changed := {"env": {"webauthn_verified": false}, "contract": {"identity": identity}}
	authz.allow with input as object.union(asked, changed)
}

test_open_module_needs_no_scopes if {
	open := {"identity": {"requires_auth": false, "required_tiers": ["guest"]}}
	authz.allow with input as {"tier": "guest", "tier_num": 0, "contract": open}
}

token(exp, aud) := object.union(asked, {"token": {"exp": exp, "aud": aud}})

test_token_is_taken_until_it_expires if {
	authz.allow with input as token(101, "harbour")
		with time.now_ns as 100000000000
		with data.matriz.audience as "harbour"
}

test_expired_token_is_denied if {
	not authz.allow with input as token(99, "harbour")
		with time.now_ns as 100000000000
		with data.matriz.audience as "harbour"
}

test_token_for_somebody_else_is_denied if {
	not authz.allow with input as token(101, "railway")
		with time.now_ns as 100000000000
		with data.matriz.audience as "harbour"
}
