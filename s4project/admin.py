"""What this layer adds to the console's pages of others: sections that speak S3's documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from buckets.admin import BucketPages
from buckets.admin_lifecycle import LifecycleSection
from buckets.admin_lock import LockSection
from buckets.admin_versioning import VersioningSection
from s4project.bucket_pages.access import AccessSection
from s4project.bucket_pages.cors import CorsSection
from s4project.bucket_pages.governing import LifecyclePage, LockPage, VersioningPage
from s4project.bucket_pages.key import KeySection
from s4project.bucket_pages.policy import PolicySection
from s4project.bucket_pages.tags import TagsSection

if TYPE_CHECKING:
    from buckets.console import Section

INSTEAD: Final[dict[type[Section], type[Section]]] = {
    VersioningSection: VersioningPage,
    LockSection: LockPage,
    LifecycleSection: LifecyclePage,
}

OWN: Final[tuple[type[Section], ...]] = (
    *(AccessSection, KeySection, PolicySection, CorsSection, TagsSection),
    *AccessSection.editors,
)
BucketPages.sections = [
    *OWN,
    *(INSTEAD.get(section, section) for section in BucketPages.sections),
]
