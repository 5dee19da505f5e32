/** Everything that a user reads, in one place, so that it can be translated: texts, and functions where values go in. */

export const texts = {
  /** Of the language of these texts; numbers and times are written accordingly. */
  language: "en",

  product: "NST Server",
  skip: "Skip to the content",
  nav: { label: "Pages", compose: "Paint", history: "History", train: "Train a style" },
  key: {
    button: "API key",
    title: "API key",
    about: "Some servers ask for a key. It is kept in this browser, and sent to this server only.",
    field: "Key",
    save: "Use this key",
    forget: "Forget the key",
    cancel: "Cancel",
    unknown: "The server does not know this key.",
    empty: "Enter the key that you were given.",
    strange: "This cannot be a key: keys are of letters, digits and signs without spaces. Copy it again.",
    kept: "The key is kept.",
    forgotten: "The key is forgotten.",
  },
  connection: {
    offline: "You are offline. Everything goes on as soon as there is a connection.",
    away: "The server does not answer. It may be restarting; this page goes on by itself.",
    back: "The server is back.",
  },
  footer: { api: "HTTP API", openapi: "OpenAPI" },
  loading: "Loading …",
  retry: "Try again",
  close: "Close",
  cancel: "Cancel",
  notFound: { title: "There is no such page", advice: "The address may be misspelt.", link: "Paint a picture" },

  /** The dialog in which masks are painted. */
  mask: {
    title: "Paint where each style goes",
    stage: "The picture, to paint on",
    notShown: "Your browser cannot show this photograph, so nothing can be painted on it. Save it as JPEG or PNG first.",
    keys: `Arrow keys move the brush, with Shift farther. Hold the space bar to paint, or press Enter to set the brush down
      and again to lift it. Square brackets change its size, X turns to erasing and back.`,
    regions: "Paint with",
    empty: "nothing yet",
    /** What no style covers. @param {string} percent @param {boolean} several styles */
    bare: (percent, several) =>
      `${percent} is not painted and stays as it is in the photograph.${several ? " Where styles overlap, they share." : ""}`,
    tool: "Tool",
    paint: "Paint",
    erase: "Erase",
    undo: "Undo",
    redo: "Redo",
    undone: "Undone",
    redone: "Done again",
    size: "Brush",
    softness: "Softness",
    starts: "Begin with",
    subject: "Subject",
    background: "Background",
    all: "Everything",
    rest: "The rest",
    invert: "Invert",
    clear: "Clear",
    looking: "Looking for the subject …",
    found: { subject: "The subject is painted.", background: "The background is painted." },
    plain: "Show plain colours",
    help: "Keys and gestures",
    helpLines: [
      "Two fingers, or the wheel, zoom and move the picture; so does the middle button.",
      "The right button erases. A pen's pressure sets the width.",
      "Ctrl + Z takes back, Ctrl + Shift + Z does it again.",
      "While the picture has the focus: arrows move the brush, the space bar paints while it is held, Enter sets the brush down and lifts it.",
      "There too: [ and ] change the size, X paints or erases, 1 to 8 choose the style, + − 0 zoom.",
    ],
    zoom: "Zoom",
    zoomIn: "Zoom in",
    zoomOut: "Zoom out",
    zoomFit: "Show the whole picture",
    keep: "Use masks",
    cancel: "Cancel",
    kept: "The masks are kept.",
    discardQuestion: "Leave without what you have painted?",
    discard: "Leave",
    goOn: "Go on painting",
    /** @param {string} across @param {string} down @param {boolean} painted */
    cursor: (across, down, painted) => `${across} across, ${down} down, ${painted ? "painted" : "not painted"}`,
    /** @param {string} style */
    black: (style) =>
      `${style} has no place yet. Paint it somewhere, give it the rest, or remove this style from your choice.`,
  },

  history: {
    heading: "History",
    status: "Status",
    anyStatus: "All states",
    method: "What",
    methods: { "": "All", fast: "Gallery", gatys: "Paintings", train: "Trainings" },
    training: "Trained style",
    /** @param {string} percent */
    painting: (percent) => `${percent} painted`,
    progress: "Progress",
    select: "Select",
    /** @param {string} name */
    choose: (name) => `Select ${name}`,
    /** @param {string} name */
    again: (name) => `Paint ${name} again, with changes`,
    /** @param {string} name */
    remove: (name) => `Delete ${name}`,
    /** @param {number} n */
    removeSelected: (n) => (n ? `Delete ${n}` : "Delete"),
    /** @param {number} n */
    removeTitle: (n) => (n === 1 ? "Delete this picture?" : `Delete ${n} pictures?`),
    /** @param {boolean} live */
    removeText: (live) =>
      `The result and everything that was sent for it are deleted on the server. This cannot be undone.${live ? " What is being painted is stopped." : ""}`,
    removeAction: "Delete",
    /** @param {number} n */
    removed: (n) => (n === 1 ? "1 picture is deleted." : `${n} pictures are deleted.`),
    /** @param {string} name @param {string} status */
    ended: (name, status) => `${name}: ${status}`,
    /** @param {number} n */
    count: (n) => `${n} pictures are shown.`,
    more: "Show more",
    empty: "No pictures yet",
    emptyText: "What you paint is kept here for a while, so that you can come back to it.",
    begin: "Paint a picture",
    noneSuch: "Nothing of this kind",
    noneSuchText: "Choose other filters to see more.",
  },

  train: {
    heading: "Train a style",
    about:
      "The server learns a painting once. Afterwards it is a style of the gallery, which paints any photograph at once.",
    painting: {
      label: "Drop a painting here",
      hint: "Its brushwork and its colours are learned. A large, sharp picture of it is best.",
      pick: "Choose a painting",
      another: "Replace",
      missing: "Choose the painting to learn.",
      full: () => "",
      /** @param {string} name */
      taken: (name) => `Painting: ${name}`,
      /** @param {string} name */
      remove: (name) => `Remove ${name}`,
    },
    photographs: {
      label: "Photographs to learn on",
      hint: "A server that has photographs of its own needs none. Else add some: the more they differ, the more kinds the style will fit.",
      pick: "Add photographs",
      another: "Add more",
      needed: "This server has no photographs of its own: add a few that differ.",
      /** @param {number} most */
      full: (most) => `At most ${most} photographs.`,
      /** @param {string} name */
      taken: (name) => `Added: ${name}`,
      /** @param {string} name */
      remove: (name) => `Remove ${name}`,
    },
    credit: "Artist, year, licence",
    idMissing: "Give the style a short name of small letters and digits.",
    length: "How long it may take",
    /** @param {number} minutes */
    minutes: (minutes) => `${minutes} min`,
    longest: "As long as it needs",
    lengthHint: "The longer, the better. It ends sooner when all its steps are done.",
    forecast: "It goes on while you are away.",
    send: "Train",
    uploading: "Uploading …",
    checking: "The server looks at the files …",
    sent: "Sent. The training is in the queue.",
    /** @param {string} name @param {string} percent */
    running: (name, percent) => `${name} is being trained: ${percent}`,
    styles: {
      heading: "Styles that you can remove",
      /** @param {string} title */
      remove: (title) => `Remove ${title} from the gallery`,
      /** @param {string} title */
      removeTitle: (title) => `Remove ${title} from the gallery?`,
      removeText: "Nobody can paint in it any more. Pictures that were painted in it stay. This cannot be undone.",
      removeAction: "Remove",
      /** @param {string} title */
      removed: (title) => `${title} is removed.`,
    },
  },

  /** By `code` of a problem, and of a job's error: what happened, and what to do. */
  errors: {
    unknown: { title: "Something went wrong", advice: "Try again in a moment." },
    unreadable: { title: "A file can no longer be read", advice: "It was moved or changed. Choose it again." },
    unreachable: {
      title: "The server does not answer",
      advice: "Check your connection. Nothing that you entered is lost; try again.",
    },
    malformed_body: { title: "The upload was broken off", advice: "Send it again." },
    invalid_image: {
      title: "A picture cannot be used",
      advice: "It is damaged, empty, animated or too small. Save it again with another program, or choose another one.",
    },
    unauthorized: { title: "A key is needed", advice: "Enter the API key that you were given." },
    training_not_configured: {
      title: "There are no photographs to learn on",
      advice: "Add some photographs of your own: a few different ones are enough.",
    },
    other_host: {
      title: "The server is not to be called by this name",
      advice: "Use the address that its administrator gave you.",
    },
    other_site: { title: "Another site has sent this", advice: "Open this page itself and try again." },
    style_not_removable: {
      title: "This style cannot be removed",
      advice: "It came with the server, or somebody else added it.",
    },
    not_found: { title: "There is nothing here", advice: "The address may be misspelt." },
    job_not_found: {
      title: "There is no such picture",
      advice: "It was deleted, or it belongs to another key.",
    },
    input_not_found: { title: "A file of this picture is not there", advice: "Choose the files again." },
    unknown_style: {
      title: "This style is not there any more",
      advice: "Choose another one: somebody has removed it from the gallery.",
    },
    preview_not_found: { title: "There is no preview yet", advice: "Wait a moment." },
    snapshot_not_found: { title: "There are no pictures of the way", advice: "They were not asked for." },
    thumbnail_not_found: { title: "There is no thumbnail", advice: "" },
    body_too_slow: { title: "The upload took too long", advice: "Try again, perhaps with a smaller picture." },
    job_not_finished: { title: "It is not finished yet", advice: "Wait until it is painted." },
    job_failed: { title: "It failed", advice: "Change the settings and try again." },
    job_canceled: { title: "It was canceled", advice: "Send it again if you like." },
    style_exists: { title: "There is a style of this name", advice: "Choose another name." },
    too_many_styles: { title: "The gallery is full", advice: "Remove a style before you add another." },
    idempotency_key_in_use: { title: "This is being sent already", advice: "Wait a moment." },
    job_expired: {
      title: "This picture has expired",
      advice: "The server keeps pictures for a time only. Paint it again to have it back.",
    },
    job_unreadable: {
      title: "This picture was painted by another version of the server",
      advice: "It cannot be read any more. Paint it again.",
    },
    length_required: { title: "The upload was refused", advice: "Try again with another browser." },
    upload_too_large: { title: "A file is too large", advice: "Choose a smaller one, or save it as JPEG." },
    body_too_large: { title: "The files are too large together", advice: "Choose smaller ones, or fewer." },
    image_too_large: { title: "A picture has too many pixels", advice: "Reduce it and try again." },
    unsupported_format: {
      title: "A file is not a picture that can be read",
      advice: "Use JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF or HEIC.",
    },
    invalid_options: { title: "Some settings do not fit", advice: "They are marked." },
    no_subject: {
      title: "Nothing stands out in the photograph",
      advice: "Paint a mask by hand, or paint the whole picture.",
    },
    url_not_allowed: { title: "This address may not be called", advice: "Use a public address." },
    url_unreachable: { title: "Nobody answers at this address", advice: "Check the address." },
    too_many_requests: { title: "Too many requests", advice: "Wait a minute, then go on." },
    too_many_bytes: { title: "You have sent as much as you may in a day", advice: "Go on tomorrow." },
    too_many_jobs: {
      title: "As many of your pictures are being painted as may be",
      advice: "Wait until one is finished, or cancel one.",
    },
    queue_full: { title: "The queue is full", advice: "Try again in a few minutes." },
    store_full: { title: "The server is full", advice: "Try again later, or delete pictures that you do not need." },
    too_many_streams: { title: "Too many are watching", advice: "This page asks again by itself." },
    store_unavailable: { title: "The server is restarting", advice: "Try again in a moment." },
    internal: { title: "The server made a mistake", advice: "It was logged. Try again, or with other settings." },
    timeout: {
      title: "It took longer than the server allows",
      advice: "Paint it smaller, or with fewer iterations.",
    },
    out_of_memory: {
      title: "It does not fit into the server's memory",
      advice: "Paint it smaller, or choose Adam as optimiser. A training: with smaller crops.",
    },
    worker_lost: {
      title: "The worker died each time it was started",
      advice: "Usually there is too little memory: paint it smaller.",
    },
    weights_unavailable: {
      title: "The network's weights are not on the server",
      advice: "Choose another encoder or another style.",
    },
    device_unavailable: { title: "The server's device is not there", advice: "Tell its administrator." },
    training_failed: { title: "The training failed", advice: "Try it with a lower learning rate." },
    diverged: {
      title: "The painting came to nothing",
      advice: "Lower the weights or the learning rate, or use the defaults.",
    },
  },
  /** With a time after which to try again. @param {string} time */
  retryAfter: (time) => `Try again in ${time}.`,

  /** Lengths of time, rounded as one says them. */
  time: {
    now: "a moment",
    /** @param {number} n */
    seconds: (n) => (n === 1 ? "1 second" : `${n} seconds`),
    /** @param {number} n */
    minutes: (n) => (n === 1 ? "1 minute" : `${n} minutes`),
    /** @param {number} n */
    hours: (n) => (n === 1 ? "1 hour" : `${n} hours`),
    /** @param {number} n */
    days: (n) => (n === 1 ? "1 day" : `${n} days`),
  },

  compose: {
    title: "Paint",
    heading: "Paint a photograph",
    content: {
      label: "Photograph",
      title: "Drop a photograph here",
      hint: "or paste one, or choose a file. It stays between you and this server.",
      choose: "Choose a photograph",
      take: "Take a photograph",
      replace: "Replace",
      remove: "Remove the photograph",
      missing: "Choose a photograph first.",
      unseen: "This browser cannot show this file. If it is a picture, such as HEIC or TIFF, the server can read it.",
      /** @param {string} name */
      alt: (name) => `Your photograph ${name}`,
      /** @param {string} name */
      taken: (name) => `Photograph: ${name}`,
      /** @param {number} width @param {number} height @param {string} bytes */
      size: (width, height, bytes) => `${width} × ${height} · ${bytes}`,
    },
    styles: {
      heading: "Style",
      source: "Where the style comes from",
      gallery: "Gallery",
      own: "Your paintings",
      choose: "Choose a style. It is painted at once.",
      none: "The gallery is empty. Paint in the style of paintings of your own.",
      chosen: "Chosen styles",
      missing: "Choose a style first.",
      blend: "Blend several styles",
      title: "Drop paintings here",
      hint: "One, or several that blend. Their brushwork and colours are taken; it takes seconds to minutes.",
      pick: "Choose paintings",
      another: "Add another painting",
      where: "Where to paint",
      everywhere: "Everywhere",
      subject: "Subject",
      background: "Background",
      masks: "By brush",
      edit: "Edit the masks",
      automatic: "The server finds it in the photograph. The rest stays as it is.",
      hasMask: "has a mask",
      /** @param {number} n */
      masked: (n) => (n === 1 ? "The style has a mask." : `All ${n} styles have masks.`),
      /** @param {number} n @param {number} all */
      lacking: (n, all) => `${n} of ${all} styles have a mask. Each needs one, or none may have one.`,
      lackingError: "Paint a mask for each style, or choose “Everywhere”.",
      /** @param {number} n */
      full: (n) => `A picture can have ${n} styles at most.`,
      /** @param {string} name */
      weight: (name) => `How much of ${name}`,
      /** @param {string} name */
      color: (name) => `Colours of ${name}`,
      asBelow: "Colours as below",
      /** @param {string} name */
      remove: (name) => `Remove ${name}`,
      /** @param {string} name */
      removed: (name) => `Removed: ${name}`,
      /** @param {string} names */
      added: (names) => `Added: ${names}`,
    },
    settings: "Settings",
    all: "All settings",
    preset: "Preset",
    initImage: "Image to start from",
    way: "Keep how it comes about",
    paint: "Paint",
    uploading: "Uploading …",
    checking: "The server looks at the files …",
    sent: "Sent. The picture is in the queue.",
    /** @param {string} time that such a picture takes; empty when unknown @param {number} queued that wait */
    forecast: (time, queued) =>
      [time && `Takes about ${time}`, queued && (queued === 1 ? "1 picture waits before it" : `${queued} pictures wait before it`)]
        .filter(Boolean)
        .join(" · "),
  },

  controls: {
    automatic: "Automatic",
    /** In a number's place. */
    unset: "auto",
    yes: "Yes",
    no: "No",
    /** @param {string} value */
    usually: (value) => `${value} (usual)`,
    /** @param {string} name */
    reset: (name) => `${name}: back to the usual value`,
  },
  /** Fields by name; those that are not here are called by their name, and described by the service. */
  fields: {
    size: { label: "Size", hint: "Long side in pixels. Larger takes longer." },
    strength: { label: "Strength", hint: "From the photograph to the full painting." },
    content_weight: { label: "Faithfulness", hint: "Less: freer strokes. More: closer to the photograph." },
    color: { label: "Colours", hint: "Whose colours the picture has." },
    style_size: { label: "Stroke size" },
    iterations: { label: "Iterations" },
    tv_weight: { label: "Smoothness" },
    style_weight: { label: "Style weight" },
    final_content_weight: { label: "Faithfulness at the end" },
    style_loss: { label: "Style loss" },
    init: { label: "Start from" },
    snapshot_every: { label: "Keep a picture every … iterations", hint: "25, say: afterwards you can watch how it came about." },
    output_format: { label: "File format" },
    quality: { label: "Quality" },
    bit_depth: { label: "Bits per channel" },
    keep_metadata: { label: "Keep the photograph’s metadata" },
    ttl_seconds: { label: "Keep the picture for … seconds" },
    webhook: { label: "Webhook" },
    webhook_events: { label: "Events of the webhook" },
    id: { label: "Short name", hint: "What the style is called in addresses: small letters, digits, _ and -." },
    title: { label: "Title", hint: "As the gallery shows it." },
    artist: { label: "Artist", hint: "Who painted it." },
    year: { label: "Year", hint: "When it was painted." },
    licence: { label: "Licence", hint: "Of the painting." },
    steps: { label: "Steps" },
    keep_color: { label: "Keep the photograph’s colours" },
    preset: { label: "Preset" },
    method: { label: "Engine" },
    style_id: { label: "Style" },
    auto_mask: { label: "Where to paint" },
    style_weights: { label: "Weights of the styles" },
  },
  /** Values of fields; those that are not here are called as the service calls them. */
  choices: {
    color: {
      style: "The painting’s",
      luminance: "The photograph’s, point by point",
      "match-mkl": "The photograph’s palette",
      "match-pca": "The photograph’s palette (PCA)",
      "match-cholesky": "The photograph’s palette (Cholesky)",
      "match-histogram": "The photograph’s palette (histogram)",
    },
    init: { content: "The photograph", noise: "Noise", image: "An image of your own", fast: "A fast draft" },
    optimizer: { lbfgs: "L-BFGS", adam: "Adam" },
    pooling: { average: "Average", max: "Maximum" },
    output_format: { png: "PNG", jpeg: "JPEG", webp: "WebP", tiff: "TIFF" },
    priority: { high: "High", normal: "Normal", low: "Low" },
    precision: { auto: "Automatic", float32: "float32", bfloat16: "bfloat16" },
    method: { gatys: "Optimised", fast: "One pass", train: "Training" },
    auto_mask: { subject: "Subject", background: "Background" },
    preset: {
      quick: "Quick look", balanced: "Balanced", best: "Best", poster: "Poster", texture: "Texture only", reconstruct: "Reconstruction",
    },
  },
  /** Of the settings that are folded away, in this order; a field that is in none of them comes last. */
  groups: {
    picture: { label: "Picture", fields: ["style_size", "tv_weight", "style_weight", "final_content_weight", "style_loss"] },
    painting: {
      label: "Painting",
      fields: ["iterations", "scales", "init", "optimizer", "learning_rate", "history", "averaging", "seed", "snapshot_every"],
    },
    network: {
      label: "Network",
      fields: [
        "encoder", "content_layers", "content_layer_weights", "style_layers", "style_layer_weights", "pooling",
        "normalize_weights", "precision", "tile",
      ],
    },
    file: { label: "File", fields: ["output_format", "quality", "bit_depth", "keep_metadata"] },
    order: { label: "Order", fields: ["priority", "ttl_seconds", "webhook", "webhook_events"] },
  },
  groupRest: "More",

  job: {
    title: "Picture",
    status: { queued: "Waiting", processing: "Painting", succeeded: "Finished", failed: "Failed", canceled: "Canceled" },
    progress: "Progress",
    preview: "The picture so far",
    actions: "What to do with it",
    canceling: "Stopping …",
    /** @param {number} n */
    place: (n) => (n === 1 ? "Next in line" : `Number ${n} in line`),
    /** @param {string} time */
    eta: (time) => `about ${time} left`,
    /** @param {string} share */
    painted: (share) => `${share} done`,
    /** @param {string} step @param {string} steps */
    step: (step, steps) => `step ${step} of ${steps}`,
    /** @param {string} loss */
    loss: (loss) => `loss ${loss}`,
    /** @param {string} status */
    ended: (status) => `${status}.`,
    /** @param {string} name */
    result: (name) => `${name}, painted`,
    /** @param {number} n */
    styles: (n) => (n === 1 ? "In the style of" : "In the styles of"),
    canceled: { title: "Canceled", advice: "Nothing was kept of it. You can send it again, as it was or with changes." },
    download: "Download",
    again: "Again with changes",
    copy: "Copy link",
    copied: "The link is copied.",
    link: "Link to this picture",
    delete: "Delete",
    deleted: "Deleted.",
    /** @param {string} name */
    deleteTitle: (name) => `Delete ${name}?`,
    deleteAbout: "The picture and everything that was sent for it are forgotten at once.",
    /** @param {string} name */
    trained: (name) => `${name} is in the gallery.`,
    useStyle: "Paint in this style",
  },
  viewer: {
    tools: "View",
    larger: "Enlarge",
    smaller: "Reduce",
    fit: "Whole picture",
    actual: "1:1, pixel by pixel",
    keys: "Plus and minus zoom, 0 shows the whole picture, 1 its pixels; arrow keys move it. Hold C to see the photograph.",
  },
  compare: {
    before: "Photograph",
    after: "Painting",
    range: "How much of the photograph is shown",
    hold: "Hold to compare",
    /** @param {string} share */
    share: (share) => `${share} photograph`,
  },
  evolution: {
    heading: "How it came about",
    range: "Step",
    play: "Play",
    pause: "Pause",
    animation: "Animation",
    /** @param {string} step */
    step: (step) => `Iteration ${step}`,
  },
  facts: {
    heading: "How it was painted",
    settings: "Settings",
    rest: "All parameters",
    figures: "Figures",
    size: "Result",
    took: "Painted in",
    expires: "Kept until",
    created: "Sent",
    completed: "Finished",
    similarity: "Similarity to the photograph (SSIM)",
    losses: { total: "in all", content: "of the content", style: "of the style", tv: "of total variation" },
    /** @param {string} name */
    loss: (name) => `Loss ${name}`,
    queued: "Waited",
    loading: "Loading the network took",
    /** @param {number} width @param {number} height */
    stage: (width, height) => `At ${width} × ${height}`,
    /** @param {string} iterations @param {string} time */
    stageTook: (iterations, time) => `${iterations} iterations, ${time}`,
    device: "Device",
    encoder: "Encoder",
    attempts: "Starts",
  },
};
