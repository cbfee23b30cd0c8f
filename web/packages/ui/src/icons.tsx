import type { ReactNode } from "react";

/** Line icons on a 24 px grid. They always stand beside words, so they are hidden from readers. */
function Icon({ children, size = 24 }: { children: ReactNode; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

type P = { size?: number };

export const IconWave = (p: P) => <Icon {...p}><path d="M5 9a5 5 0 0 1 0 6" /><path d="M9.500 6.500a9 9 0 0 1 0 11" /><path d="M14 4a13.500 13.500 0 0 1 0 16" /></Icon>;
export const IconCheck = (p: P) => <Icon {...p}><path d="m4.500 12.500 5 5 10-11" /></Icon>;
export const IconCross = (p: P) => <Icon {...p}><path d="M6 6l12 12M18 6 6 18" /></Icon>;
export const IconLook = (p: P) => <Icon {...p}><path d="M12 4 2.500 20h19z" /><path d="M12 10v5M12 17.500v.01" /></Icon>;
export const IconBack = (p: P) => <Icon {...p}><path d="M9 5h11v14H9l-6-7z" /><path d="m11.500 9.500 5 5m0-5-5 5" /></Icon>;
export const IconReceipt = (p: P) => <Icon {...p}><path d="M6 3v18l2-1.500 2 1.500 2-1.500 2 1.500 2-1.500 2 1.500V3z" /><path d="M9 8h6M9 12h6" /></Icon>;
export const IconTrace = (p: P) => <Icon {...p}><path d="M4 6h10M4 12h16M4 18h7" /></Icon>;
export const IconSun = (p: P) => <Icon {...p}><circle cx="12" cy="12" r="4" /><path d="M12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M5.300 18.700l1.400-1.400M17.300 6.700l1.400-1.400" /></Icon>;
export const IconMoon = (p: P) => <Icon {...p}><path d="M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500z" /></Icon>;
export const IconNet = (p: P) => <Icon {...p}><path d="M3 9a14 14 0 0 1 18 0M6.500 12.800a9 9 0 0 1 11 0M10 16.400a3.800 3.800 0 0 1 4 0" /><path d="M12 19.500v.01" /></Icon>;
export const IconNoNet = (p: P) => <Icon {...p}><path d="M3 3l18 18M6.500 12.800a9 9 0 0 1 3.200-1.700M3 9a14 14 0 0 1 4.500-2.600M12 6a14 14 0 0 1 9 3M10 16.400a3.800 3.800 0 0 1 4 0" /><path d="M12 19.500v.01" /></Icon>;
export const IconReader = (p: P) => <Icon {...p}><rect x="5" y="3" width="14" height="18" rx="3" /><path d="M10 9.500a3.500 3.500 0 0 1 0 5M13 8a6 6 0 0 1 0 8" /></Icon>;
export const IconLock = (p: P) => <Icon {...p}><rect x="5" y="11" width="14" height="9" rx="2" /><path d="M8 11V8a4 4 0 0 1 8 0v3" /></Icon>;
export const IconPrint = (p: P) => <Icon {...p}><path d="M7 9V3h10v6M7 17H4v-7h16v7h-3" /><path d="M7 14h10v7H7z" /></Icon>;
export const IconCards = (p: P) => <Icon {...p}><rect x="3" y="8" width="14" height="10" rx="2" /><path d="M7 5h12a2 2 0 0 1 2 2v8" /></Icon>;
export const IconClock = (p: P) => <Icon {...p}><circle cx="12" cy="12" r="8.500" /><path d="M12 7.500V12l3 2" /></Icon>;
export const IconUndo = (p: P) => <Icon {...p}><path d="M8 5 4 9l4 4" /><path d="M4 9h9a6 6 0 0 1 0 12H8" /></Icon>;
export const IconDown = (p: P) => <Icon {...p}><path d="m6 9 6 6 6-6" /></Icon>;
export const IconDownload = (p: P) => <Icon {...p}><path d="M12 4v11m-5-5 5 5 5-5M5 20h14" /></Icon>;
export const IconHand = (p: P) => <Icon {...p}><path d="M8 12V5.500a1.500 1.500 0 0 1 3 0V11m0-1V4.500a1.500 1.500 0 0 1 3 0V11m0-.500v-4a1.500 1.500 0 0 1 3 0V15a6 6 0 0 1-6 6h-.500a6 6 0 0 1-4.800-2.400L3.300 14a1.600 1.600 0 0 1 2.500-2L8 14.500" /></Icon>;
