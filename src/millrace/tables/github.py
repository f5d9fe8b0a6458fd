"""The tables of GitHub.

`account` is the account of the source from which a row is; two servers give the same numbers. `repo_id` stays when a
repository is renamed. Columns are GitHub's values under the names that cursor-sim's tables have for the same thing.
"""

from millrace.tables.table import COUNT, FLAG, INSTANT, TEXT, TEXTS, Table, columns_of

GITHUB_REPOS = Table(
    name="github_repos",
    columns=columns_of(
        account=TEXT,
        repo_id=COUNT,
        node_id=TEXT,
        full_name=TEXT,
        default_branch=TEXT,
        language=TEXT,
        is_archived=FLAG,
        is_disabled=FLAG,
        is_empty=FLAG,
        is_fork=FLAG,
        is_private=FLAG,
        open_pull_requests_count=COUNT,
        total_pull_requests_count=COUNT,
        created_at=INSTANT,
        updated_at=INSTANT,
        pushed_at=INSTANT,
    ),
    key=("account", "repo_id"),
    is_optional=True,
)

GITHUB_PULL_REQUESTS = Table(
    name="github_pull_requests",
    columns=columns_of(
        account=TEXT,
        repo_id=COUNT,
        number=COUNT,
        id=COUNT,
        node_id=TEXT,
        repo_name=TEXT,
        title=TEXT,
        body=TEXT,
        state=TEXT,  # open, closed or merged
        is_draft=FLAG,
        author_id=TEXT,  # the login
        author_number=COUNT,
        author_kind=TEXT,  # user, bot, mannequin, organization, enterpriseuseraccount; ghost: a deleted account
        merged_by=TEXT,
        base_branch=TEXT,
        head_branch=TEXT,
        head_sha=TEXT,
        merge_commit_sha=TEXT,
        is_cross_repository=FLAG,
        reviewers=TEXTS,  # who is asked for a review
        labels=TEXTS,
        additions=COUNT,
        deletions=COUNT,
        changed_files=COUNT,
        commit_count=COUNT,
        review_count=COUNT,
        event_count=COUNT,
        force_push_count=COUNT,
        created_at=INSTANT,
        updated_at=INSTANT,
        merged_at=INSTANT,
        closed_at=INSTANT,
    ),
    key=("account", "repo_id", "number"),
    is_optional=True,
    version_column="updated_at",
)

GITHUB_REVIEWS = Table(
    name="github_reviews",
    columns=columns_of(
        account=TEXT,
        repo_id=COUNT,
        number=COUNT,
        pr_id=COUNT,
        id=COUNT,
        reviewer=TEXT,  # the login
        reviewer_kind=TEXT,
        state=TEXT,
        submitted_at=INSTANT,
        updated_at=INSTANT,
        comment_count=COUNT,
        commit_sha=TEXT,
        pr_updated_at=INSTANT,  # that of the pull request when it was read
    ),
    key=("account", "pr_id", "id"),
    is_optional=True,
    version_column="pr_updated_at",
)

GITHUB_COMMITS = Table(
    name="github_commits",
    columns=columns_of(
        account=TEXT,
        repo_id=COUNT,
        sha=TEXT,
        authored_at=INSTANT,
        committed_at=INSTANT,
        author_email=TEXT,
        author_name=TEXT,
        author_login=TEXT,
        additions=COUNT,
        deletions=COUNT,
        headline=TEXT,
        co_authors=TEXTS,  # `Name <e-mail>`, from the trailers of the message
        parent_count=COUNT,
    ),
    key=("account", "repo_id", "sha"),
    is_optional=True,
)

GITHUB_PULL_REQUEST_COMMITS = Table(
    name="github_pull_request_commits",
    columns=columns_of(
        account=TEXT,
        repo_id=COUNT,
        number=COUNT,
        sha=TEXT,
        role=TEXT,  # branch, before_force_push or merge
        position=COUNT,  # in the branch, from 1
        pr_updated_at=INSTANT,
    ),
    key=("account", "repo_id", "number", "sha", "role"),
    is_optional=True,
    version_column="pr_updated_at",
)

GITHUB_PULL_REQUEST_EVENTS = Table(
    name="github_pull_request_events",
    columns=columns_of(
        account=TEXT,
        repo_id=COUNT,
        number=COUNT,
        event_id=TEXT,
        kind=TEXT,  # ready_for_review, convert_to_draft, review_requested or head_ref_force_pushed
        at=INSTANT,
        actor=TEXT,
        subject=TEXT,  # who is asked for a review
        before_sha=TEXT,
        after_sha=TEXT,
        pr_updated_at=INSTANT,
    ),
    key=("account", "repo_id", "number", "event_id"),
    is_optional=True,
    version_column="pr_updated_at",
)

IDENTITIES = Table(
    name="identities",
    columns=columns_of(
        system=TEXT,  # github
        account=TEXT,
        account_id=TEXT,  # the login
        email=TEXT,
        name=TEXT,
        seen_in=TEXT,  # pr_commit or commit
        seen_at=INSTANT,  # the time of the newest commit that was ever read
    ),
    key=("system", "account", "account_id", "email"),
    is_optional=True,
    version_column="seen_at",
    keeps_newest=True,
)

SOURCE_WINDOWS = Table(
    name="source_windows",
    columns=columns_of(
        source=TEXT,
        account=TEXT,
        object=TEXT,  # what was read, such as pull_requests
        window=TEXT,  # which part of it, such as the id of a repository
        name=TEXT,  # of the window, for people
        state=TEXT,  # known, known_empty, provisional, unknown or refused
        row_count=COUNT,  # different keys that were read
        source_total=COUNT,
        reason=TEXT,
        settled_at=INSTANT,
        read_at=INSTANT,
    ),
    key=("source", "account", "object", "window"),
    is_optional=True,
    version_column="read_at",
)
