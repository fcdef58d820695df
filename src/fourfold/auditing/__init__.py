"""The full privacy audit of a synthetic set: all stages, the verdict by a policy, and the page that may be passed on.

`audit` asks every metric of the privacy axis, the costly ones included. `Audit.write` leaves the statement for a data
protection officer, the same for programs, and the report with the copies beside their sources, which stays inside.
"""

from fourfold.auditing.audit import Audit, Stage, audit
from fourfold.auditing.machine import SCHEMA, audit_document, audit_json, audit_schema
from fourfold.auditing.statement import statement_of

__all__ = ["SCHEMA", "Audit", "Stage", "audit", "audit_document", "audit_json", "audit_schema", "statement_of"]
